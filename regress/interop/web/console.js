// SPDX-License-Identifier: ISC
//
// The web console, as an operator uses it. console.t does on the daemon what
// it is asked for by a line, "do: WORD", and answers by a line of input.

const { ask, play } = require("./play.js");

play(async (page, what, ok) => {
	const see = (text, options) => page.getByText(text, options).first()
	    .waitFor();
	const badge = (text) => page.locator(".badge", { hasText: text })
	    .first().waitFor();
	const press = (name) => page.getByRole("button", { name, exact: true })
	    .first().click();
	const outside = [], policy = [];

	page.on("request", (r) => {
		if (!r.url().startsWith(what.url))
			outside.push(r.url());
	});
	page.on("console", (m) => {
		if (m.text().includes("Content Security Policy"))
			policy.push(m.text());
	});
	await page.goto(what.url);
	await page.getByLabel("Access token").fill("nonsense");
	await press("Sign in");
	await see("The server does not take this token.");
	ok(true, "a token that is none is refused");
	await page.getByLabel("Access token").fill(what.token);
	await press("Sign in");
	await see("No sessions");
	ok(true, "operator-64(partial): signed in; an empty list says how a " +
	    "session begins");
	ok(await page.evaluate(() => Object.keys(localStorage).length +
	    document.cookie.length) === 0, "the token is in no storage");
	await ok.shot("empty");

	const asked = [];
	await page.waitForTimeout(2000);
	page.on("request", (r) => asked.push(new URL(r.url()).pathname));
	await page.waitForTimeout(5000);
	ok(asked.length === 0, `nothing is asked while nothing changes ${asked}`);
	await ask("connect");
	await see("plant");
	await badge("active");
	ok(true, "operator-64(partial): a session appears without a reload");
	await ok.shot("sessions");
	await page.setViewportSize({ width: 360, height: 740 });
	ok(await page.evaluate(() => document.documentElement.scrollWidth <=
	    innerWidth), "nothing is wider than 360 pixels");
	await ok.shot("narrow");
	await page.setViewportSize({ width: 1280, height: 800 });
	await page.getByRole("button", { name: "Light or dark" }).click();
	await ok.shot("dark");

	await page.getByRole("link", { name: "plant" }).click();
	await see("Tunnel connected");
	await page.getByRole("button", { name: "Services" }).click();
	const [tab] = await Promise.all([page.context().waitForEvent("page"),
	    press("Open web")]);
	await tab.waitForLoadState();
	await tab.getByText(what.page).waitFor();
	ok(!tab.url().includes("token="),
	    "operator-64(partial): a service opens in a tab of its own");
	await tab.close();
	await press("Add service");
	await page.getByLabel("Name").fill("second");
	await page.getByLabel("Address").fill(what.second);
	await page.getByRole("button", { name: "Add", exact: true }).click();
	await see("second is added.");
	await page.getByRole("button", { name: "Open second" }).waitFor();
	ok(true, "operator-64(partial): a service is added");
	await ok.shot("services");
	await page.locator("li", { hasText: "second" })
	    .getByRole("button", { name: "Remove" }).click();
	await see("second is removed.");
	ok(true, "operator-64(partial): and removed");

	await page.getByRole("link", { name: "Terminal" }).click();
	await page.getByRole("tab").waitFor();
	await page.locator(".dot.good").waitFor();
	await page.locator(".xterm-helper-textarea").focus();
	await page.keyboard.type(`stty size >${what.dir}/size.1\n`);
	const first = await ask("size 1");
	ok(/^\d+ \d+$/.test(first),
	    "operator-64(partial): a terminal, and what is typed in it");
	await page.setViewportSize({ width: 900, height: 500 });
	let second = first;
	for (let i = 2; second === first && i < 30; i++) {
		await page.keyboard.type(`stty size >${what.dir}/size.${i}\n`);
		second = await ask(`size ${i}`);
	}
	ok(second !== first && /^\d+ \d+$/.test(second),
	    `it is as large as the window (${first}, then ${second})`);
	await press("New tab");
	await page.getByRole("tab").nth(1).waitFor();
	await page.locator(".dot.good").nth(1).waitFor();
	ok(true, "operator-64(partial): a second tab");
	await ok.shot("terminal");
	await page.setViewportSize({ width: 1280, height: 800 });

	await ask("kill");
	await page.locator(".dot.bad").first().waitFor();
	ok(true, "a terminal whose tunnel drops says so");
	page.on("dialog", (d) => d.accept());
	await page.getByRole("link", { name: "Back" }).click();
	await badge("waiting");
	ok(true, "the list shows that the session waits");
	await ask("connect");
	await page.locator(".badge", { hasText: "waiting" })
	    .waitFor({ state: "detached" });
	ok(true, "and that it is back");

	await page.getByRole("link", { name: "plant" }).click();
	await page.getByRole("button", { name: "Access log" }).click();
	await see("terminal");
	ok(true, "the access log names the terminal");
	await press("Close session");
	await page.locator("dialog").getByRole("button",
	    { name: "Close session" }).click();
	await see("This session is over.");
	ok(true, "operator-64(partial): a session is closed");

	await page.getByRole("link", { name: "Systems" }).click();
	await press("New system");
	await page.getByLabel("Name").fill("mill");
	await page.getByLabel("Organization").fill(what.org);
	await press("Create");
	await see("--secret-file /dev/stdin");
	ok(true, "operator-64(partial): a system is made, with the line to paste");
	await ok.shot("systems");
	await press("Done");
	await page.getByRole("switch", { name: /mill/ }).click();
	await see("mill may not connect any more.");
	ok(true, "operator-64(partial): and disabled");
	await ask("lose");
	await see("No connection to the server. Trying again.");
	ok(true, "a server that is gone is said to be");
	await ask("find");
	await page.locator(".lost").waitFor({ state: "hidden" });
	await ask("system");
	await see("added meanwhile");
	ok(true, "and what changes once it is back shows by itself");
	await page.getByLabel("Language").selectOption("it");
	await see("Sistemi");
	ok(true, "all in Italian");
	await ask("revoke");
	await see("Il token non è più valido.");
	ok(true, "a revoked token is asked for anew");
	ok(outside.length === 0, `nothing was fetched elsewhere ${outside}`);
	ok(policy.length === 0, `its policy was not tried ${policy}`);
});
