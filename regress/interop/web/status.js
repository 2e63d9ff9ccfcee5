// SPDX-License-Identifier: ISC
//
// The daemon's page: its processes and their sandbox, and the last hour in
// plots, as the API tells it; what changes shows without a reload.

const { pictures, signIn } = require("./look.js");
const { ask, play } = require("./play.js");

play(async (page, what, ok) => {
	const see = (text) => page.getByText(text).first().waitFor();
	const plot = (name) => page.getByRole("img", { name });
	const fact = (name) => page.locator(".facts div",
	    { hasText: name }).locator("dd");
	const row = (role) => page.locator(".processes tbody tr",
	    { has: page.locator("th", { hasText: new RegExp(`^${role}`) }) });
	const becomes = async (where, text) => {
		await where.filter({ hasText: text }).waitFor();
		return true;
	};

	await page.goto(what.url);
	await signIn(page, what.token);
	await page.getByRole("link", { name: "The daemon" }).click();
	await see("It has been watched since");
	await pictures(page, ok, "new");
	ok(await fact("Tunnels now").innerText() === "0", "no tunnel yet");
	for (const [role, layers] of Object.entries(JSON.parse(
	    await ask("layers")))) {
		const shown = await row(role).locator(".layers .active")
		    .allInnerTexts();
		ok(shown.join() === layers,
		    `${role}: its sandbox is as relayctl shows it ${shown}`);
	}
	ok(await row("parent").locator(".badge").count() === 1 &&
	    /root/.test(await row("parent").innerText()),
	    "the parent is shut in by nothing, and says so");

	// Without a reload.
	await ask("tunnel");
	ok(await becomes(fact("Tunnels now"), "1"), "a tunnel shows by itself");
	ok(await becomes(row("muxd"), "one tunnel each"),
	    "and its process");

	// An hour.
	await ask("hour");
	await page.waitForFunction(() => document.querySelectorAll(
	    ".plot polyline").length > 0 && !document.body.innerText
	    .includes("It has been watched since"));
	// A minute may be over between two looks.
	const drawn = async (name, line) => (await plot(name)
	    .locator(`polyline.${line}`).getAttribute("points")).split(" ");
	let points, want;
	for (let i = 0; i < 60 && points?.map((p) => p.split(",")[1])
	    .join() !== want?.join() || want === undefined; i++) {
		await page.waitForTimeout(500);
		want = JSON.parse(await ask("tunnels")).map((n) =>
		    n === 0 ? "72.0" : "0.0");
		points = await drawn(/^Tunnels/, "n0");
	}
	ok(points.length === 60, "a point for each minute");
	ok(points.map((p) => p.split(",")[1]).join() === want.join(),
	    `as high as the API says ${points} ${want}`);
	const x = points.map((p) => Number(p.split(",")[0]));
	ok(x.every((n, i) => i === 0 || n > x[i - 1]) && x[0] > -1 &&
	    x.at(-1) <= 300, `from the left to the right ${x[0]} ${x.at(-1)}`);
	ok(await page.locator(".plot").count() === 8 && await page
	    .locator(".plot polyline").count() === 18, "18 lines in 8 plots");
	const box = await plot(/^Tunnels/).boundingBox();
	await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
	await page.locator(".plot .under")
	    .waitFor({ state: "attached" });
	ok(true, "what is under the pointer is pointed at");
	await page.mouse.move(0, 0);
	await page.getByText("All numbers").click();
	const numbers = page.getByRole("region", { name: "All numbers" });
	await numbers.waitFor();
	const logins = await numbers.locator("thead th").allInnerTexts();
	ok(logins.length === 19 &&
	    await numbers.locator("tbody tr").count() === 60,
	    "all of it is there as numbers");
	await pictures(page, ok, "hour");
	await page.getByText("All numbers").click();

	// What goes wrong shows.
	await ask("kill");
	ok(await becomes(row("control").locator("td").last(), "1"),
	    "a restart shows");
	await ask("minute");
	await page.waitForFunction(() => document.querySelector(
	    "svg[aria-label^=Trouble] .n0").getAttribute("points").split(" ")
	    .some((p) => !p.endsWith(",72.0")));
	ok(true, "and counts in the minute in which it was");
	ok(Number(await fact("Errors of the last hour").innerText()) >= 1,
	    "and in the hour");
	await page.getByLabel("Language").selectOption("it");
	await see("Il demone");
	ok(await becomes(row("muxd"), "un tunnel ciascuno"), "in Italian, too");
});
