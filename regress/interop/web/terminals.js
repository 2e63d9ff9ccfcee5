// SPDX-License-Identifier: ISC
//
// The console's terminals. terminals.t does what it is asked for by a line,
// "do: WORD", and answers by a line of input.

const { ask, play, withoutWebgl } = require("./play.js");

play(async (page, what, ok) => {
	const good = (n = 0) => page.locator(".tab .dot.good").nth(n).waitFor();
	const type = async (text) => {
		await page.locator(".screen:not([hidden]) " +
		    ".xterm-helper-textarea").focus();
		await page.keyboard.type(text + "\n");
	};
	const see = (text) => page.getByText(text).first().waitFor();
	const signIn = async () => {
		await page.getByLabel("Access token").fill(what.token);
		await page.getByRole("button", { name: "Sign in", exact: true })
		    .first().click();
	};

	await withoutWebgl(page);
	await ask("connect");
	await page.goto(what.url);
	await signIn();
	await page.getByRole("link", { name: "plant" }).click();
	await page.getByRole("link", { name: "Terminal" }).click();
	await good();
	await type(`stty size >${what.dir}/size; MARK=kept`);
	const size = await ask("file size");
	ok(/^\d+ \d+$/.test(size), "a terminal and its size");

	await page.reload();
	await signIn();
	await good();
	ok(await page.getByRole("tab").count() === 1, "after a reload the " +
	    "terminal that waits is there, and no other");
	await page.locator(".xterm-rows", { hasText: "MARK=kept" })
	    .waitFor();
	await type(`echo $MARK >${what.dir}/reloaded`);
	ok(await ask("file reloaded") === "kept", "operator-64(partial): the " +
	    "page is reloaded and comes back to the same shell, its output too");
	ok(await page.evaluate(() => JSON.stringify(localStorage) +
	    JSON.stringify(sessionStorage) + document.cookie).then((s) =>
	    !s.includes(what.token)), "nothing secret is in any storage");

	await ask("cut");
	await page.locator(".tab .dot.good").waitFor({ state: "detached" });
	await good();
	await type(`echo $MARK >${what.dir}/cut`);
	ok(await ask("file cut") === "kept", "a connection that is cut is made " +
	    "anew, to the same shell");

	// The page is left without a word, and come back to.
	await page.goBack();
	await page.getByRole("link", { name: "Terminal" }).waitFor();
	await page.goForward();
	await good();
	await type(`echo $MARK >${what.dir}/back`);
	ok(await ask("file back") === "kept" &&
	    await page.getByRole("tab").count() === 1,
	    "a page that is left by the browser's buttons finds it again");

	// As if its time were over: nothing else is different.
	await page.route("**/api/**", (r) => r.fulfill({ status: 401, body: "{}" }));
	await ask("change");
	await see("The token is not valid any more. Sign in again.");
	await page.unroute("**/api/**");
	ok(await ask("waits") === "1", "a token that is over ends no shell");
	await signIn();
	await good();
	await type(`echo $MARK >${what.dir}/expired`);
	ok(await ask("file expired") === "kept" &&
	    await page.getByRole("tab").count() === 1,
	    "who signs in again comes back to it");

	await page.getByRole("button", { name: "New tab" }).click();
	await good(1);
	await type(`echo second >${what.dir}/second`);
	await ask("file second");
	page.once("dialog", (d) => d.accept());
	await page.locator(".tab").nth(1)
	    .getByRole("button", { name: "Close this tab" }).click();
	await ask("one");
	ok(true, "a tab that is closed ends its shell");

	await type(`i=0; while [ $i -lt 40 ]; do i=$((i+1)); ` +
	    `echo line-$i; done; cat /dev/zero | tr '\\0' x`);
	await page.waitForTimeout(2000);
	const before = Number(await ask("memory"));
	const heap = () => page.evaluate(() =>
	    performance.memory.usedJSHeapSize);
	const small = await heap();
	const gap = await page.evaluate(() => new Promise((done) => {
		const begin = performance.now();
		let most = 0, last = begin;
		const step = (now) => {
			most = Math.max(most, now - last);
			last = now;
			if (now - begin < 6000)
				requestAnimationFrame(step);
			else
				done(most);
		};
		requestAnimationFrame(step);
	}));
	const after = Number(await ask("memory")), large = await heap();
	ok(gap < 3000, `an endless file does not freeze the page (${gap} ms)`);
	// What is not waited for would be some 100 MB a second.
	ok(after - before < 16384, `nor does any process grow (${before} KiB, ` +
	    `then ${after})`);
	ok(large - small < 64 * 1024 * 1024, `nor the page (${small}, then ` +
	    `${large})`);
	await page.keyboard.press("Control+c");
	await type(`echo $MARK >${what.dir}/endless`);
	ok(await ask("file endless") === "kept", "and ^C ends it");

	await page.locator(".idle").waitFor();
	ok(true, "before it ends for want of typing it says so");
	await page.getByRole("button", { name: "Stay" }).click();
	await page.locator(".idle").waitFor({ state: "detached" });
	await page.waitForTimeout(25000);
	await type(`echo $MARK >${what.dir}/stayed`);
	ok(await ask("file stayed") === "kept", "who stays is not ended");

	await ask("kill");
	await page.locator(".tab .dot.bad").waitFor();
	await page.locator(".xterm-rows", { hasText: "tunnel dropped" })
	    .waitFor();
	await page.locator(".lost", { hasText: "Waiting for the client" })
	    .waitFor();
	ok(true, "a tunnel that drops is said to, and that it is waited for");
	await ask("connect");
	await page.locator(".lost").waitFor({ state: "detached" });
	await page.locator(".screen:not([hidden]) .xterm-helper-textarea")
	    .focus();
	await page.keyboard.press("Enter");
	await good();
	await type(`echo again-$MARK >${what.dir}/after`);
	ok(await ask("file after") === "again-", "once it is back there is " +
	    "another shell");
	await type("MARK=again");
	await ask("restart");
	await page.locator(".xterm-rows", { hasText: "another shell" })
	    .waitFor();
	await good();
	await type(`echo back-$MARK >${what.dir}/restart`);
	ok(await ask("file restart") === "back-", "after a restart of the " +
	    "server there is another shell, by itself");
	await ask(`close ${what.token}`);
	await page.locator(".tab .dot.bad").waitFor();
	ok(true, "the session's end is the terminal's");
});
