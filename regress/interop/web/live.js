// SPDX-License-Identifier: ISC
//
// server.js: each event as it is sent, the WebSocket, the form.

require("./play.js").play(async (page, what, ok) => {
	const said = (text) => page.waitForFunction(
	    (t) => document.getElementById("said").innerText.includes(t), text);
	const next = () => page.evaluate(
	    () => fetch("next", { method: "POST" }).then((r) => r.status));

	await page.goto(what.url);
	await said("named first");
	await said("event 1 tick");
	ok(true, "an event arrives while its answer goes on");
	await next();
	await said("event 2 tick");
	ok(true, "and the next when it is sent");
	await said("socket back hello");
	ok(true, "a WebSocket of the page's own origin");
	await next();
	// The browser comes back by itself, and says where it was.
	await said("event 3 tick");
	ok(true, "a new connection goes on where the last one ended");
	await ok.shot();
	const answer = page.waitForResponse((r) => r.url().endsWith("/save"));
	await page.click("button");
	ok((await answer).status() === 200, "a form is taken from its own page");
	await page.waitForLoadState();
	await page.waitForFunction(() => fetch("open").then((r) => r.json())
	    .then((j) => j.open === 0));
	ok(true, "the service sees that a page is gone");
});
