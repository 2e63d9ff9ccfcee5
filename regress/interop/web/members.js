// SPDX-License-Identifier: ISC
//
// The members of a cluster, on the daemon's page of one of them.

const { pictures, signIn } = require("./look.js");
const { ask, play } = require("./play.js");

play(async (page, what, ok) => {
	const row = (name) => page.locator(".members tbody tr",
	    { has: page.locator("th", { hasText: new RegExp(`^${name}`) }) });

	await page.goto(what.url);
	await signIn(page, what.token);
	await page.getByRole("link", { name: "The daemon" }).click();
	await row("b").waitFor();
	ok(/this one/.test(await row("a").innerText()) &&
	    !/this one/.test(await row("b").innerText()),
	    "the member that answers is marked");
	ok(await row("b").locator(".badge.active").innerText() === "up",
	    "and the other is up");
	await pictures(page, ok, "two");
	await ask("stop");
	await row("b").waitFor({ state: "detached" });
	ok(true, "who leaves is not there any more");
});
