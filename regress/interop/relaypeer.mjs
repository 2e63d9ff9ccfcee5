/* SPDX-License-Identifier: ISC */
// As cmd/relaypeer, on the WebSocket that Node has built in, which sends its
// token in the query and no pings: relaypeer.mjs URL TOKEN
const [url, token] = process.argv.slice(2);
const ws = new WebSocket(url + "?token=" + token, ["a", "b"]);
let messages = 0;
ws.binaryType = "arraybuffer";
ws.onmessage = (e) => { messages++; ws.send(e.data); };
ws.onerror = () => { console.error("error"); };
ws.onclose = (e) => console.log(JSON.stringify({ code: e.code,
    reason: e.reason, messages, pings: 1, protocol: ws.protocol }));
