// SPDX-License-Identifier: ISC
//
// usage: node server.js PORT
//
// An application on Express and ws, as many are: events that the server sends,
// a form with a token that has to come from a page of the same origin, a
// WebSocket that is open to that page alone, a file that is sent up. "Same" is by Host, and by scheme
// as the request says it or (below /trusting) as X-Forwarded-Proto does.

const crypto = require("crypto");
const express = require("express");
const http = require("http");
const { WebSocketServer } = require("ws");

const tokens = new Set();

const same = (req, trusting) => {
	const said = trusting && req.headers["x-forwarded-proto"];
	return req.headers.origin === `${said || "http"}://${req.headers.host}`;
};

const page = `<!doctype html><title>live</title><h1>Live</h1>
<form method=post action=save><input name=text><button>Save</button>
<input type=hidden name=csrf value=TOKEN></form>
<form method=post action=upload enctype=multipart/form-data>
<input type=file name=file><button>Send</button></form><ol id=list></ol>
<pre id=said></pre><script>
const say = (x) => document.getElementById("said").append(x + "\\n");
const from = new EventSource("events");
from.onmessage = (e) => say("event " + e.lastEventId + " " + e.data);
from.addEventListener("named", (e) => say("named " + e.data));
const to = new WebSocket(location.href.replace(/^http/, "ws") + "socket");
to.onopen = () => to.send("hello");
to.onmessage = (e) => say("socket " + e.data);
to.onerror = () => say("socket failed");
</script>`;

const mount = (trusting) => {
	const r = express.Router();
	let open = 0;

	r.get("/", (req, res) => {
		const token = crypto.randomUUID();
		tokens.add(token);
		res.cookie("csrf", token, { httpOnly: true, sameSite: "strict" });
		res.type("html").send(page.replace("TOKEN", token));
	});
	// An event, and on the page's word another, and the end.
	let waiting = [];
	r.get("/events", (req, res) => {
		res.type("text/event-stream").set("Cache-Control", "no-cache");
		let n = Number(req.headers["last-event-id"] || 0);
		const next = () => {
			n++;
			res.write(`id: ${n}\ndata: tick\n\n`);
		};
		open++;
		res.on("close", () => open--);
		res.write("retry: 50\n\nevent: named\ndata: first\n\n");
		next();
		waiting = [next, () => res.end()];
	});
	r.post("/next", (req, res) => {
		const next = waiting.shift();
		if (next)
			next();
		res.sendStatus(next ? 204 : 404);
	});
	r.get("/open", (req, res) => res.json({ open }));
	r.post("/save", express.urlencoded({ extended: false }), (req, res) => {
		const cookie = /(?:^|; )csrf=([^;]*)/.exec(req.headers.cookie);
		const good = same(req, trusting) && tokens.has(req.body.csrf) &&
		    cookie && cookie[1] === req.body.csrf;
		res.status(good ? 200 : 403).type("html").send(
		    `<h1>${good ? "saved" : "refused"}</h1>` +
		    `<pre>${JSON.stringify(req.headers.origin)} at ` +
		    `${req.headers.host}</pre>`);
	});
	// Of one file, and no field beside it.
	r.post("/upload", express.raw({ type: "multipart/form-data",
	    limit: "64mb" }), (req, res) => {
		const edge = /boundary=(.*)$/.exec(req.headers["content-type"])[1];
		const from = req.body.indexOf("\r\n\r\n") + 4;
		const file = req.body.subarray(from,
		    req.body.lastIndexOf(`\r\n--${edge}--`));
		res.type("html").send(`<h1>${file.length} bytes</h1><pre>` + crypto
		    .createHash("sha256").update(file).digest("hex") + "</pre>");
	});
	return r;
};

const app = express();
app.use("/trusting", mount(true));
app.use("/", mount(false));
const server = http.createServer(app);
const sockets = new WebSocketServer({ noServer: true });
server.on("upgrade", (req, socket, head) => {
	if (!same(req, req.url.startsWith("/trusting"))) {
		socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
		return;
	}
	sockets.handleUpgrade(req, socket, head, (ws) => {
		ws.on("message", (text) => ws.send(`back ${text}`));
	});
});
server.listen(Number(process.argv[2]), "127.0.0.1");
