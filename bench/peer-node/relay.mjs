/* SPDX-License-Identifier: ISC */
// The yardstick for pairing: a relay of the same messages on Node and ws, with the
// limits of doc/pairing-protocol.md that cost something for each message: sockets,
// volume, and what an address may do in a minute. One process, as the existing
// relay is one; a Map finds everything.
//
//	node relay.mjs PORT
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const MAX_SOCKETS = 10000, MAX_SESSIONS = 50000, VOLUME = 5242880;
const WAIT_MS = 60000, PAIRED_MS = 180000, MINUTE = 60000;
const sessions = new Map();	// by code
const watches = new Map();	// by jti
const used = new Map();		// jti: until
const places = new Map();	// by address
let sockets = 0;

const send = (ws, o) => ws.send(JSON.stringify(o));
const fail = (ws, code) => send(ws, { type: "error", code });

function place(address, now) {
	let p = places.get(address);
	if (p === undefined || now - p.since >= MINUTE) {
		p = { since: now, operations: 0, failures: 0, watches: 0 };
		places.set(address, p);
	}
	return p;
}

function finish(s) {
	clearTimeout(s.timer);
	sessions.delete(s.code);
	s.target.session = s.target.session === s ? null : s.target.session;
	if (s.controller !== null)
		s.controller.session = null;
}

function expire(s, code) {
	const both = [s.target, s.controller];
	finish(s);
	for (const ws of both)
		if (ws !== null) {
			fail(ws, code);
			ws.close(1000);
		}
}

function leave(ws) {
	const s = ws.session;
	if (s === null)
		return;
	const other = s.target === ws ? s.controller : s.target;
	finish(s);
	ws.session = null;
	if (other !== null)
		fail(other, "peer_disconnected");
}

function allowed(ws, otc) {
	if (typeof otc !== "string" || !/^[0-9]{6}$/.test(otc)) {
		fail(ws, "invalid_otc");
		return false;
	}
	const p = place(ws.address, Date.now());
	if (p.failures >= 5 || ++p.operations > 30) {
		fail(ws, "rate_limited");
		return false;
	}
	return true;
}

function failed(ws, code) {
	place(ws.address, Date.now()).failures++;
	fail(ws, code);
}

const handlers = {
	listen(ws, m) {
		if (!allowed(ws, m.otc))
			return;
		leave(ws);
		if (sessions.has(m.otc)) {
			failed(ws, "otc_in_use");
			return;
		}
		if (sessions.size >= MAX_SESSIONS) {
			fail(ws, "relay_capacity");
			return;
		}
		const s = { code: m.otc, target: ws, controller: null,
		    volume: 0 };
		s.timer = setTimeout(expire, WAIT_MS, s, "otc_expired");
		sessions.set(m.otc, s);
		ws.session = s;
		send(ws, { type: "ack", message: "session_open" });
	},
	connect(ws, m) {
		if (!allowed(ws, m.otc))
			return;
		leave(ws);
		const s = sessions.get(m.otc);
		if (s === undefined || s.controller !== null) {
			failed(ws, s === undefined ? "otc_not_found" :
			    "peer_already_connected");
			return;
		}
		clearTimeout(s.timer);
		s.timer = setTimeout(expire, PAIRED_MS, s, "session_expired");
		s.controller = ws;
		ws.session = s;
		send(s.target, { type: "peer_found" });
		send(ws, { type: "peer_found" });
	},
	data(ws, m) {
		const s = ws.session;
		const other = s === null ? null :
		    s.target === ws ? s.controller : s.target;
		if (other === null)
			return;
		s.volume += m.payload === undefined ? 0 :
		    JSON.stringify(m.payload).length;
		if (s.volume > VOLUME)
			expire(s, "session_data_limit");
		else
			send(other, { type: "data", payload: m.payload });
	},
	done(ws) {
		const s = ws.session;
		if (s === null)
			return;
		const other = s.target === ws ? s.controller : s.target;
		finish(s);
		ws.session = null;
		if (other !== null)
			send(other, { type: "done" });
	},
	bootstrap_watch(ws, m) {
		const held = watches.get(m.jti);
		if (typeof m.jti !== "string" || m.jti === "") {
			fail(ws, "missing_jti");
			return;
		}
		if (held !== undefined && held !== ws) {
			fail(ws, "jti_already_watched");
			return;
		}
		if (held === undefined &&
		    ++place(ws.address, Date.now()).watches > 10) {
			fail(ws, "rate_limited");
			return;
		}
		watches.set(m.jti, ws);
		ws.watched.add(m.jti);
		send(ws, { type: "bootstrap_watching", jti: m.jti });
	},
	bootstrap_init(ws, m) {
		const to = watches.get(m.jti);
		const error = used.has(m.jti) ? "token_already_used" :
		    to === undefined ? "no_watcher" : null;
		if (error !== null) {
			send(ws, { type: "bootstrap_reject", error });
			return;
		}
		used.set(m.jti, Date.now() + 25 * 3600 * 1000);
		to.inits.set(m.jti, ws);
		send(to, { type: "bootstrap_init", jti: m.jti, token: m.token,
		    targetPubKey: m.targetPubKey });
	},
	bootstrap_ack(ws, m) {
		answer(ws, m.jti, { type: m.type, jti: m.jti,
		    controllerPubKey: m.publicKey,
		    controllerSig: m.controllerSig });
	},
	bootstrap_reject(ws, m) {
		answer(ws, m.jti, { type: m.type, jti: m.jti, error: m.error });
	},
};

function answer(ws, jti, o) {
	const to = ws.inits.get(jti);
	if (to === undefined)
		return;
	send(to, o);
	ws.inits.delete(jti);
	ws.watched.delete(jti);
	watches.delete(jti);
}

function heard(ws, data) {
	let m;
	try {
		m = JSON.parse(data.toString());
	} catch {
		fail(ws, "invalid_message");
		return;
	}
	if (m === null || typeof m !== "object" ||
	    !Object.hasOwn(handlers, m.type))
		fail(ws, "unknown_type");
	else
		handlers[m.type](ws, m);
}

const server = createServer((request, response) => {
	const health = request.url === "/health";
	response.writeHead(health ? 200 : 404);
	response.end(health ? JSON.stringify({ status: "ok",
	    sessions: sessions.size }) : "Not found");
});
const wss = new WebSocketServer({ server, path: "/ws", maxPayload: 65536,
    perMessageDeflate: false, clientTracking: false });
wss.on("connection", (ws, request) => {
	if (sockets >= MAX_SOCKETS) {
		ws.close(1013, "too_many_connections");
		return;
	}
	sockets++;
	ws.address = request.socket.remoteAddress;
	ws.session = null;
	ws.watched = new Set();
	ws.inits = new Map();
	ws.on("message", (data) => heard(ws, data));
	ws.on("error", () => {});
	ws.on("close", () => {
		sockets--;
		leave(ws);
		for (const jti of ws.watched)
			watches.delete(jti);
	});
});
setInterval(() => {
	const now = Date.now();
	for (const [address, p] of places) {
		if (now - p.since < MINUTE)
			break;
		places.delete(address);
	}
	for (const [jti, until] of used) {
		if (until > now)
			break;
		used.delete(jti);
	}
}, 10000);
server.listen(Number(process.argv[2]), "127.0.0.1");
