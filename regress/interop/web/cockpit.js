// SPDX-License-Identifier: ISC
//
// Cockpit: logs in, looks at its overview, works in its terminal.

require("./play.js").play(async (page, what, ok) => {
	await page.goto(what.url);
	await page.fill("#login-user-input", what.user);
	await page.fill("#login-password-input", what.password);
	await page.click("#login-button");
	await page.waitForSelector("#nav-system");
	ok(true, "the login form is taken");

	const overview = page.frameLocator(
	    'iframe[name="cockpit1:localhost/system"]');
	await overview.locator("#overview").waitFor();
	ok((await page.locator("#host-toggle, #hosts-sel").first()
	    .innerText()).includes(what.user),
	    "its pages and its WebSocket: the overview of this user's");
	await ok.shot("overview");

	await page.goto(new URL("/system/terminal", page.url()).href);
	const frame = page.frameLocator(
	    'iframe[name="cockpit1:localhost/system/terminal"]');
	await frame.locator(".xterm-screen, .terminal").first().click();
	await page.keyboard.type("echo in-$((40+2))-$(id -un)\n");
	await frame.getByText("in-42-" + what.user).first().waitFor();
	ok(true, "its terminal runs a command");
	await ok.shot();
});
