// SPDX-License-Identifier: ISC
//
// Each page of the console in both colours and two widths: a picture, and what
// axe-core finds. Then what the address keeps, and what another organization
// sees of it.

const { pictures, signIn: enter } = require("./look.js");
const lines = require("node:readline").createInterface({
	input: process.stdin });
const answers = lines[Symbol.asyncIterator]();

require("./play.js").play(async (page, what, ok) => {
	const see = (text) => page.getByText(text).first().waitFor();
	const look = (name) => pictures(page, ok, name);

	const signIn = () => enter(page, what.token);
	const open = (path) => page.evaluate((p) => { location.hash = p; },
	    path);

	await page.goto(what.url);
	await page.getByLabel("Access token").waitFor();
	await look("signin");

	// With nothing there each page says what can be done.
	await enter(page, what.nobody);
	await see("No sessions");
	await look("empty-sessions");
	await page.getByRole("main").getByRole("link", { name: "Systems" })
	    .click();
	await see("No systems yet");
	await look("empty-systems");
	await page.locator(".empty").getByRole("button",
	    { name: "New system" }).click();
	await page.getByRole("dialog").waitFor();
	await look("dialog-system");
	await page.keyboard.press("Escape");
	await page.getByRole("dialog").waitFor({ state: "detached" });
	ok(true, "a page without rows leads to what makes the first");
	await page.getByRole("button", { name: "Sign out" }).click();
	await signIn();
	await see("plant");
	ok(await page.getByText("You are signed out.").count() === 0,
	    "who signs in again is not told that he is signed out");
	await open("/sessions");
	await page.getByRole("heading", { name: "Sessions" }).waitFor();
	await see("plant");
	await look("sessions");
	ok(await page.getByText("secretmill").count() === 0,
	    "another organization's session is not in the list");
	ok(await page.getByRole("link", { name: "The daemon" }).count() === 0,
	    "the daemon is not in the menu of who may not see it");
	await open("/daemon");
	await see("insufficient permissions");
	ok(await page.locator("svg[role=img]").count() === 0,
	    "and its page shows nothing");
	await look("daemon-refused");
	for (const [tab, word] of [["diagnostics", "load_average"],
	    ["services", "web"], ["credentials", "written to the access log"],
	    ["accessLog", "is listed here"],
	    ["recordings", "record terminals yes"]]) {
		await open(`/session/${what.mine}?tab=${tab}`);
		if (tab === "diagnostics") {
			// What is well is folded, as on a machine that is idle.
			await page.locator("details.plugin").first().waitFor();
			await page.evaluate(() => document
			    .querySelectorAll("details.plugin")
			    .forEach((e) => { e.open = true; }));
		}
		await see(word);
		await look(tab);
	}
	await open(`/session/${what.mine}?tab=credentials`);
	await page.getByRole("button", { name: "Show", exact: true }).click();
	await see("its --users-dir");
	ok(true, "a client that made no users: where they come from");
	await look("no-users");
	// Dialogs, and a terminal.
	await open("/sessions");
	for (const name of ["Close session", "Add service"]) {
		await page.getByRole("button", { name }).first().click();
		await page.getByRole("dialog").waitFor();
		await look(`dialog-${name.split(" ")[0].toLowerCase()}`);
		await page.keyboard.press("Escape");
		await page.getByRole("dialog").waitFor({ state: "detached" });
	}
	await page.getByRole("link", { name: "Terminal" }).click();
	await page.locator(".tab .dot.good").waitFor();
	await look("terminal");
	page.once("dialog", (d) => d.accept());
	await page.goto("about:blank");
	await page.goto(what.url);
	await page.getByLabel("Access token").waitFor();
	await signIn();
	await see("plant");
	await open(`/session/${what.other}`);
	await see("support session not found");
	await page.getByText(/^Request \w+/).waitFor();
	ok(true, "nor is it to be had by its id; the error has the request's");
	await look("error");
	await open("/systems");
	await see("plant");
	ok(await page.getByText("secretmill").count() === 0,
	    "nor its system");
	await look("systems");
	await page.getByRole("button", { name: "Support of plant" }).click();
	await see(/\d+ operators? here now/);
	await look("popover");
	await page.keyboard.press("Escape");
	await open("/nothing");
	await see("There is no such page.");
	await look("nowhere");

	// What happens meanwhile, theirs first.
	await open("/sessions");
	await see("plant");
	console.log("do: more");
	await answers.next();
	await see("harbour");
	ok(await page.getByText("secretyard").count() === 0,
	    "of what changes it sees its own");
	await page.getByRole("link", { name: "harbour" }).click();
	await see("its --diagnostics-dir");
	ok(true, "a client without diagnostics: where they come from");
	await look("no-diagnostics");
	await open("/sessions");
	await see("harbour");

	// The address keeps the filter, the order, the page and the length.
	const asked = [];
	page.on("request", (r) => {
		if (r.url().includes("/api/support-sessions?"))
			asked.push(new URL(r.url()).searchParams);
	});
	await page.getByLabel("Status").selectOption("closed");
	await see("Nothing fits the filter");
	ok(page.url().includes("status=closed"), "the filter is in the address");
	await look("nomatch");
	await page.goto("about:blank");
	await page.goto(what.url +
	    "#/sessions?rows=5&sort=expires_at&dir=asc&status=active");
	await page.getByLabel("Access token").waitFor();
	await signIn();
	await see("harbour");
	const q = asked.filter((x) => x.get("page_size") !== "1").at(-1);
	ok(q.get("page_size") === "5" && q.get("sort_by") === "expires_at" &&
	    q.get("sort_direction") === "asc" && q.get("status") === "active",
	    `an address opens what it says ${q}`);
	await page.getByRole("button", { name: /Started/ }).click();
	await page.waitForURL(/sort=started_at/);
	ok(true, "the order is in the address");
	lines.close();
});
