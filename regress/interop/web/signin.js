// SPDX-License-Identifier: ISC
//
// The console's sign-in at an identity provider: the way there and back, a
// reload, signing out, and answers that are to no question.

const { atProvider, play } = require("./play.js");

play(async (page, what, ok) => {
	const see = (text) => page.getByText(text).first().waitFor();
	const press = (name) => page.getByRole("button", { name })
	    .first().click();
	const asked = [], outside = [];

	page.on("request", (r) => {
		if (r.url().startsWith(what.issuer + "auth?"))
			asked.push(new URL(r.url()).searchParams);
		if (r.frame().url().startsWith(what.url) &&
		    !r.url().startsWith(what.url) &&
		    !r.url().startsWith(what.issuer))
			outside.push(r.url());
	});
	await page.goto(what.url + "#/systems");
	await atProvider(page);
	await see("No systems");
	ok(true, "signed in at the provider, and back where it was");
	ok(asked[0].get("code_challenge_method") === "S256" &&
	    asked[0].get("code_challenge").length === 43 &&
	    asked[0].get("response_type") === "code" &&
	    asked[0].get("state").length === 43,
	    "by authorization code with PKCE");
	ok(page.url() === what.url + "#/systems",
	    "neither code nor state stays in the address");
	const kept = await page.evaluate(() => JSON.stringify([
		{ ...localStorage }, { ...sessionStorage }, document.cookie]));
	ok(!/eyJ/.test(kept) && !/verifier/.test(kept),
	    `no token and no verifier is kept ${kept}`);
	await ok.shot();

	await page.reload();
	await see("No systems");
	ok(asked.at(-1).get("prompt") === "none" &&
	    page.url() === what.url + "#/systems",
	    "a reload goes through the provider, and asks nobody");

	await page.goto(what.url + "?code=abc&state=stolen");
	await see("The identity provider did not sign you in");
	ok(true, "an answer to no question is none");

	await page.goto("about:blank");
	await page.context().clearCookies();
	await page.goto(what.url);
	await page.getByRole("button", { name: /^Sign in at localhost/ }).waitFor();
	await see("Access token");
	ok(true, "without a session there the user is asked");
	await atProvider(page);
	await see("No sessions");
	await press("Sign out");
	await see("You are signed out.");
	await page.reload();
	await page.getByRole("button", { name: /^Sign in at localhost/ }).waitFor();
	ok(true, "signed out stays signed out over a reload");
	ok(outside.length === 0, `nothing was fetched elsewhere ${outside}`);
});
