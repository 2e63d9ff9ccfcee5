// SPDX-License-Identifier: ISC
//
// What is done with a terminal's output in the page, and with its recording.

const { ask, play, withoutWebgl } = require("./play.js");

play(async (page, what, ok) => {
	const context = page.context();
	const press = (name) => page.getByRole("button", { name, exact: true })
	    .first().click();
	const see = (text) => page.getByText(text).first().waitFor();
	const rows = page.locator(".xterm-rows");
	const shown = (text) => page.locator(".xterm-rows",
	    { hasText: text }).waitFor();
	const type = async (text) => {
		await page.locator(".xterm-helper-textarea").focus();
		await page.keyboard.type(text + "\n");
	};
	// The words that a selection lies on, as copying takes them.
	const chosen = async () => {
		await page.evaluate(() => navigator.clipboard.writeText(""));
		await page.locator(".xterm-helper-textarea").focus();
		await page.keyboard.press("Control+Shift+C");
		await page.waitForFunction(() => navigator.clipboard.readText());
		return page.evaluate(() => navigator.clipboard.readText());
	};

	const policy = [];
	page.on("console", (m) => {
		if (m.text().includes("Content Security Policy"))
			policy.push(m.text());
	});
	await context.grantPermissions(["clipboard-read", "clipboard-write"]);
	await withoutWebgl(page);
	await page.goto(what.url);
	await page.getByLabel("Access token").fill(what.token);
	await press("Sign in");
	await page.getByRole("link", { name: "Terminal" }).click();
	await page.locator(".tab .dot.good").waitFor();
	ok(await page.getByRole("img", { name: "This terminal is recorded" })
	    .innerText() === "REC", "the tab says that it is recorded");
	await shown("this terminal is recorded");

	// Some screens, and what is looked for is in the first.
	await type("echo needle-in-it; seq 200; echo http://link.test/a?b=1; " +
	    `echo done >${what.dir}/done`);
	await ask("file done");
	await shown("http://link.test/a?b=1");
	ok(!(await rows.innerText()).includes("needle-in-it"),
	    "what is looked for is not in sight");
	await page.getByLabel("Find in the terminal").fill("needle-in");
	await shown("needle-in-it");
	ok(await chosen() === "needle-in", "it is found, and chosen");
	await page.getByLabel("Find in the terminal").fill("");

	await type("");
	const find = async () => (await page.waitForFunction(() => {
		const row = [...document.querySelectorAll(".xterm-rows > div")]
		    .find((r) => r.textContent.startsWith("http://link.test"));
		const box = row?.getBoundingClientRect();
		return box && { x: box.left + 40, y: box.top + box.height / 2 };
	})).jsonValue();
	// Where it is, when nothing moves it any more.
	let at = await find();
	for (let i = 0; i < 100 && await page.locator(
	    ".xterm-cursor-pointer").count() === 0; i++) {
		at = await find();
		await page.mouse.move(at.x + i % 2, at.y);
		await page.waitForTimeout(100);
	}
	const [tab] = await Promise.all([context.waitForEvent("page"),
	    page.mouse.click(at.x, at.y)]);
	await tab.waitForURL(/link\.test|chrome-error/);
	ok(await tab.evaluate(() => window.opener === null),
	    "a link opens in a tab of its own, without a way back");
	await tab.close();

	await type("printf '\\033[38;2;1;2;3mtinted\\033[0m\\n'");
	await page.waitForFunction(() => [...document.querySelectorAll(
	    ".xterm-rows span")].some((s) => s.textContent === "tinted" &&
	    getComputedStyle(s).color === "rgb(1, 2, 3)"));
	ok(true, "a colour of 24 bits is shown");

	// A word by a double click, and then pasted behind a command.
	at = await find();
	await page.mouse.dblclick(at.x, at.y);
	const word = await chosen();
	ok(/link|http/.test(word) && "http://link.test/a?b=1".includes(word),
	    `what is chosen is copied (${word})`);
	await page.evaluate((dir) => navigator.clipboard.writeText(
	    `echo pasted-$((1+1)) \u00e8 >${dir}/pasted`), what.dir);
	await page.locator(".xterm-helper-textarea").focus();
	await page.keyboard.press("Control+Shift+v");
	await page.keyboard.press("Enter");
	ok(await ask("file pasted") === "pasted-2 \u00e8",
	    "and what is pasted is typed");

	// It waits, and signing out ends it.
	await page.goBack();
	await ask("waits");
	await press("Sign out");
	await see("You are signed out.");
	await ask("none");
	ok(true, "signing out ends the terminal that waits");

	await page.getByLabel("Access token").fill(what.token);
	await press("Sign in");
	await page.getByRole("link", { name: "plant" }).click();
	await press("Recordings");
	await page.locator("tr", { hasText: "alice" }).waitFor();
	ok(await page.locator("tbody tr").count() === 1,
	    "the recording is in the list");
	await press("Play");
	const box = page.locator("dialog");
	await box.getByLabel("Speed").selectOption("16");
	await box.locator(".xterm-rows", { hasText: "pasted-$((1+1))" })
	    .waitFor();
	await box.getByRole("button", { name: "Play", exact: true }).waitFor();
	ok(true, "it is played to its end");
	await box.getByRole("slider").fill("0");
	await box.locator(".xterm-rows", { hasText: "pasted" })
	    .waitFor({ state: "detached" });
	ok(true, "and taken back to its beginning");
	await ok.shot("player");
	await box.getByRole("button", { name: "Play", exact: true }).click();
	await box.locator(".xterm-rows", { hasText: "pasted-$((1+1))" })
	    .waitFor();
	ok(true, "from where it is played again");
	const [file] = await Promise.all([page.waitForEvent("download"),
	    box.getByRole("button", { name: "Download" }).click()]);
	const text = require("node:fs").readFileSync(await file.path(), "utf8");
	ok(/\.cast$/.test(file.suggestedFilename()) &&
	    JSON.parse(text.split("\n")[0]).version === 2 &&
	    text.includes("needle-in-it"), "it is had as a file, too");
	ok(policy.length === 0, `the page's policy was not tried ${policy}`);
});
