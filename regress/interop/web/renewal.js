// SPDX-License-Identifier: ISC
//
// A token of the identity provider's that does not live long, and a terminal that
// outlives it: with a refresh token nobody sees that it was renewed; without one
// the page goes to the provider and comes back; and where that asks the user, the
// shell waits.

const { ask, atProvider, play } = require("./play.js");

play(async (page, what, ok) => {
	const shell = ".screen:not([hidden]) .xterm-helper-textarea";
	const given = [], used = [];
	let quiet = 0, n = 0;

	page.on("request", (r) => {
		const u = new URL(r.url());
		if (u.searchParams.get("prompt") === "none")
			quiet++;
		if (r.url().startsWith(what.url + "api/") &&
		    r.headers().authorization)
			used.push(r.headers().authorization.split(" ")[1]);
	});
	page.on("response", async (r) => {
		if (!r.url().endsWith("/token") || r.status() !== 200)
			return;
		const form = new URLSearchParams(r.request().postData());
		const said = await r.json();
		given.push({ how: form.get("grant_type"), at: r.url(),
		    token: said.access_token, refresh: said.refresh_token });
	});
	const same = async (text) => {
		await page.locator(".tab .dot.good").waitFor();
		await page.locator(shell).focus();
		await page.keyboard.type(`echo $MARK >${what.dir}/mark.${++n}\n`);
		ok(await ask(`file mark.${n}`) === "kept" &&
		    await page.getByRole("tab").count() === 1, text);
	};
	const until = async (f) => {
		while (!f())
			await page.waitForTimeout(200);
	};

	/* The provider's own word that the refresh token is none any more. */
	const renew = (g) => page.evaluate(async ({ at, refresh }) => {
		const r = await fetch(at, { method: "POST", credentials: "omit",
		    body: new URLSearchParams({ grant_type: "refresh_token",
			client_id: "console", refresh_token: refresh }) });
		return `${r.status} ${(await r.json()).error}`;
	}, g);
	const signedOut = async () => {
		const revoked = page.waitForResponse((r) =>
		    r.url().endsWith("/revocation") &&
		    r.request().method() === "POST");
		await page.goto(what.url + "#/sessions");
		page.on("dialog", (d) => d.accept());
		await page.getByRole("button", { name: "Sign out" }).click();
		const r = await revoked;
		const form = new URLSearchParams(r.request().postData());
		ok(r.status() === 200 && form.get("token") ===
		    given.at(-1).refresh && form.get("token_type_hint") ===
		    "refresh_token", "signing out gives the refresh token back");
		await page.getByText("You are signed out.").first().waitFor();
		const said = await renew(given.at(-1));
		ok(said === "400 invalid_grant",
		    `and the provider takes it no more: ${said}`);
	};

	await page.goto(what.url);
	await atProvider(page);
	await page.getByRole("link", { name: "Terminal" }).click();
	await page.locator(".tab .dot.good").waitFor();
	await page.locator(shell).focus();
	await page.keyboard.type("MARK=kept\n");
	await same("a terminal");

	await until(() => given.length >= 3);
	ok(given.slice(1).every((g) => g.how === (what.refresh ? "refresh_token" :
	    "authorization_code")) && new Set(given.map((g) => g.token)).size ===
	    given.length, `the token is renewed before its end, ` +
	    `${given.map((g) => g.how)}`);
	ok(what.refresh ? quiet === 0 : quiet >= 2,
	    `by way of the provider's page or not (${quiet})`);
	await same("it is the same shell");
	await ask("change");
	await until(() => used.includes(given.at(-1).token));
	ok(true, "what is asked from then on is asked with the new one");
	const kept = await page.evaluate(() => JSON.stringify([
		{ ...localStorage }, { ...sessionStorage }, document.cookie]));
	ok(!given.some((g) => kept.includes(g.token)) && !/refresh/.test(kept),
	    `none is kept ${kept}`);
	if (what.refresh) {
		await signedOut();
		return;
	}

	await page.context().clearCookies();
	await page.getByRole("button", { name: /^Sign in at localhost/ })
	    .waitFor();
	await atProvider(page);
	await same("who has to sign in again finds the shell that waited");
});
