// SPDX-License-Identifier: ISC
//
// What a hostile page of a service tries. Each attempt is made by the page's own
// script; hostile.t opens services and looks at what the other one was sent.

const { ask, play } = require("./play.js");

play(async (page, what, ok) => {
	const context = page.context();
	const tab = async (which) => {
		const p = await context.newPage();
		await p.goto(await ask(`open ${which}`));
		await p.getByText(`I am ${which}.`).waitFor();
		return p;
	};
	const press = (name) => page.getByRole("button", { name, exact: true })
	    .first().click();

	await page.goto(what.url);
	await page.getByLabel("Access token").fill(what.token);
	await press("Sign in");
	await page.getByRole("link", { name: "Terminal" }).first().waitFor();
	await page.evaluate(() => localStorage.setItem("ours", "kept"));

	const bank = await tab("bank"), evil = await tab("evil");

	// Frame.
	const framed = await evil.evaluate((url) => new Promise((done) => {
		const f = document.createElement("iframe");
		f.onload = () => {
			try {
				done(f.contentDocument ? "read" : "opaque");
			} catch {
				done("opaque");
			}
		};
		f.src = url;
		document.body.append(f);
	}), what.url);
	const inside = await Promise.all(evil.frames().slice(1).map((f) =>
	    f.content().catch(() => "")));
	ok(framed === "opaque" && inside.length === 1 &&
	    !inside[0].includes("<script") && !inside[0].includes("/assets/"),
	    "the console is in nobody's frame");

	// Opener and messages, from a console that it opens itself.
	const [popup] = await Promise.all([context.waitForEvent("page"),
	    evil.evaluate((url) => { window.w = window.open(url); }, what.url)]);
	await popup.getByLabel("Access token").waitFor();
	const reach = await evil.evaluate(() => {
		const got = [];
		for (const f of [() => window.w.document.title,
		    () => window.w.localStorage.length,
		    () => window.w.document.querySelector("input").value])
			try {
				got.push(String(f()));
			} catch (e) {
				got.push(e.name);
			}
		return got.join(" ");
	});
	ok(/^(SecurityError|TypeError)( (SecurityError|TypeError)){2}$/
	    .test(reach), `a console that it opens tells it nothing (${reach})`);
	const heard = await evil.evaluate(() => new Promise((done) => {
		let n = 0;
		window.onmessage = () => n++;
		for (const m of ["token", { type: "token" }, { type: "signIn",
		    token: "x" }, { type: "oidc", code: "x", state: "x" }])
			window.w.postMessage(m, "*");
		setTimeout(() => done(n), 1500);
	}));
	ok(heard === 0 && await popup.getByLabel("Access token").isVisible(),
	    "it answers no message, and does nothing for one");
	await popup.close();

	// Opener: what the console opens.
	const opener = await ask("open evil");
	const [fresh] = await Promise.all([context.waitForEvent("page"),
	    page.evaluate((url) => { window.open(url, "_blank",
	        "noopener,noreferrer"); }, opener)]);
	await fresh.getByText("I am evil.").waitFor();
	ok(await fresh.evaluate(() => window.opener === null &&
	    !document.referrer.includes("console")),
	    "a page that the console opens has no way back to it");
	await fresh.close();

	// Cookies of a sibling.
	ok(await evil.evaluate(() => !document.cookie.includes("bank-secret")),
	    "it sees no cookie of another session's service");
	const taken = await evil.evaluate((url) => fetch(url, {
	    credentials: "include" }).then((r) => r.text(), (e) => e.name),
	    new URL(bank.url()).origin + "/");
	ok(taken === "TypeError", "nor a page of it with the operator's cookie " +
	    `(${taken.slice(0, 40)})`);
	await evil.evaluate((domain) => {
		for (const name of ["mine", "evil"])
			document.cookie = `${name}=planted; domain=${domain}; path=/`;
	}, what.domain);
	const held = (await context.cookies()).some((c) =>
	    c.name === "evil" && c.value === "planted");
	await tab("bank");
	const seen = JSON.parse(await ask("seen"));
	ok(held && seen.length > 0 && !seen.some((c) => c.includes("planted")),
	    "what it plants does not reach another session's service");

	// Service worker.
	const worker = await evil.evaluate(async (url) => {
		const got = [];
		for (const [script, scope] of [[url + "assets/icon.svg", url],
		    ["/sw.js", url], [url + "sw.js", "/"]])
			got.push(await navigator.serviceWorker.register(script,
			    { scope }).then(() => "registered", (e) => e.name));
		return got.join(" ");
	}, what.url);
	ok(/^(SecurityError|TypeError)( (SecurityError|TypeError)){2}$/
	    .test(worker), `no service worker for the console (${worker})`);
	ok(await page.evaluate(() => navigator.serviceWorker
	    .getRegistrations()).then((r) => r.length) === 0,
	    "the console has none");

	// Storage.
	ok(await evil.evaluate(() => localStorage.getItem("ours") === null) &&
	    await page.evaluate(() => localStorage.getItem("ours")) === "kept",
	    "the console's storage is not its own");

	// The API, by what stands for the operator.
	const api = await evil.evaluate((url) => fetch(url +
	    "api/support-sessions", { credentials: "include" })
	    .then((r) => `read ${r.status}`, (e) => e.name), what.url);
	ok(api === "TypeError", `it reads no answer of the API (${api})`);
	ok(await evil.evaluate(() => document.cookie).then((c) =>
	    !c.includes("token") && !c.includes("Host-")),
	    "nor the cookie that stands for the operator");
	const host = new URL(evil.url()).hostname;
	const mine = (await context.cookies()).filter((c) =>
	    c.domain.endsWith(host) && c.httpOnly && c.name !== "mine");
	const statuses = [];
	for (const c of mine)
		statuses.push(await ask(`api ${c.name}=${c.value}`));
	ok(mine.length > 0 && statuses.every((s) => s === "401 401"),
	    `which the API does not take anyway (${statuses})`);
});
