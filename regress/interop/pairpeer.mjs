/* SPDX-License-Identifier: ISC */
// As cmd/pairpeer, on the WebSocket that Node has built in: pairpeer.mjs URL
import { createInterface } from "node:readline";

const say = (what) => console.log(JSON.stringify(what));
const ws = new WebSocket(process.argv[2]);
ws.onopen = () => {
	say({ open: true });
	createInterface({ input: process.stdin }).on("line", (line) => {
		if (line === "close")
			ws.close(1000);
		else
			ws.send(line);
	});
};
ws.onmessage = (e) => say({ text: e.data });
ws.onclose = (e) => {
	say({ code: e.code, reason: e.reason });
	process.stdin.destroy();
};
ws.onerror = () => console.error("error");
