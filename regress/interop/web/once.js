// SPDX-License-Identifier: ISC
//
// A one-time sign-in, opened: once, and then no more.

const { ask, play } = require("./play.js");

play(async (page, what, ok) => {
	const see = (text) => page.getByText(text).first().waitFor();
	const told = [];
	const at = await ask("once"), code = at.split("/").pop();

	page.on("request", (r) => told.push(r.url(),
	    JSON.stringify(r.headers())));
	await page.goto(what.url + at.slice(1));
	await see("No sessions");
	ok(true, "an address with a one-time sign-in signs in");
	ok(page.url() === what.url && await page.evaluate(() =>
	    history.length) <= 2, `the code does not stay in it: ${page.url()}`);
	ok(told.some((x) => x.endsWith("/api/sign-in")) &&
	    !told.some((x) => x.includes(code)),
	    "and is in no request's address and no field of one");
	const kept = await page.evaluate(() => JSON.stringify([
		{ ...localStorage }, { ...sessionStorage }, document.cookie]));
	ok(!/eyJ/.test(kept) && !kept.includes(code),
	    `nothing is kept ${kept}`);
	await page.reload();
	await page.getByLabel("Access token").waitFor();
	ok(true, "a reload has to sign in anew");

	await page.goto(what.url + at.slice(1));
	await see("This one-time sign-in was used already");
	ok(page.url() === what.url, "a second time it says that it was used");
	await ok.shot("used");
	await page.goto(what.url + (await ask("once")).slice(1));
	await see("No sessions");
	ok(true, "in a page that is open another one signs in");
	await ok.shot("in");
});
