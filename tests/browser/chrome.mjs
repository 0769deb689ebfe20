// A browser that reports what should not happen: scripts of strangers, requests to elsewhere, breaches of the policy.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";

/** Where Debian, and most others, have it. */
const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

const QUIET = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** Starts a browser, hands it to `use`, and ends it. */
export async function withBrowser(use) {
  const { existsSync } = await import("node:fs");
  const executablePath = PATHS.find((path) => existsSync(path));
  const browser = await chromium.launch({ executablePath, args: QUIET });
  try {
    await use(browser);
  } finally {
    await browser.close();
  }
}

/** A window of its own, with cookies of its own. `breaches` fills with what should not happen. */
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-GB", ...options });
  context.setDefaultTimeout(30_000);
  const breaches = [];
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`policy breach: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  const page = await context.newPage();
  page.on("dialog", async (dialog) => {
    breaches.push(`a script of a stranger ran: ${dialog.message()}`);
    await dialog.dismiss();
  });
  page.on("pageerror", (error) => breaches.push(`the script failed: ${error}`));
  page.on("console", (message) => {
    const text = message.text();
    if (/policy/i.test(text)) breaches.push(text);
  });
  page.on("request", (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (protocol !== "data:" && hostname !== "127.0.0.1") breaches.push(`asked elsewhere: ${request.url()}`);
  });
  return { context, page, breaches };
}

/** Logs in and checks that the first page is there. */
export async function logIn(page, link) {
  await page.goto(link);
  assert.match(await page.title(), /Roda$/);
  return new URL(link).origin;
}
