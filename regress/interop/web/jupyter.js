// SPDX-License-Identifier: ISC
//
// JupyterLab: logs in, opens a notebook and runs a cell in it.

require("./play.js").play(async (page, what, ok) => {
	await page.goto(what.url);
	await page.fill("#password_input", what.password);
	await page.click("#login_submit");
	await page.waitForSelector(".jp-LauncherCard");
	ok(!page.url().includes("/login"), "the login form is taken");

	await page.click('.jp-LauncherCard[data-category="Notebook"]');
	const cell = page.locator(".jp-Notebook .jp-InputArea-editor").first();
	// A cell that is run before there is a kernel just stays as it is.
	await page.locator("#jp-main-statusbar").getByText("| Idle").waitFor();
	await cell.click();
	await page.keyboard.type('print("sum", 40 + 2)');
	await page.keyboard.press("Shift+Enter");
	const said = page.locator(".jp-OutputArea-output pre").first();
	await said.waitFor();
	ok((await said.innerText()).trim() === "sum 42",
	    "a cell runs, and the kernel's WebSocket brings what it prints");
	await ok.shot();
});
