// Sends the forms of a page as the JSON requests that a program would send, and shows the answers.
"use strict";

const ADDRESS = /(https?:\/\/[^\s"\\]+)/;

for (const form of document.querySelectorAll("form[data-auto-submit]")) {
  form.addEventListener("change", () => {
    // Keep the other parameters of the address.
    const address = new URL(location);
    for (const [name, value] of new FormData(form)) address.searchParams.set(name, value);
    location.assign(address);
  });
}

for (const form of document.querySelectorAll("form.request")) {
  form.querySelector("[data-examples]")?.addEventListener("change", (event) => {
    form.elements.body.value = event.target.value;
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    const { method, address } = form.dataset;
    if (method === "DELETE" && !confirm(`DELETE ${address}?`)) return;
    button.disabled = true;
    try {
      show(form, await send(form));
    } catch (error) {
      show(form, { status: "No answer", text: String(error), good: false });
    } finally {
      button.disabled = false;
    }
  });
}

async function send(form) {
  const { method, address, microversion } = form.dataset;
  const headers = {
    Accept: "application/json",
    "OpenStack-API-Version": `volume ${microversion}`,
    "X-CSRFToken": document.getElementById("csrf").dataset.token,
  };
  const body = form.elements.body?.value;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(address, { method, headers, body });
  const text = await response.text();
  const isJSON = response.headers.get("Content-Type")?.startsWith("application/json");
  return {
    status: `${response.status} ${response.statusText}`,
    text: isJSON ? JSON.stringify(JSON.parse(text), null, 2) : text,
    good: response.ok,
  };
}

// Where a click on an address leads; null for bookmarks, which have no version and no page.
function findPage(text) {
  const address = new URL(text);
  if (address.host !== location.host) return address;
  if (!/^\/(v3|identity)\b/.test(address.pathname)) return null;
  const microversion = new URLSearchParams(location.search).get("microversion");
  if (microversion) address.searchParams.set("microversion", microversion);
  return address;
}

function show(form, { status, text, good }) {
  const output = form.querySelector("output");
  const badge = document.createElement("span");
  badge.className = `status ${good ? "good" : "bad"}`;
  badge.textContent = status;
  output.replaceChildren(badge);
  if (text) {
    const listing = document.createElement("pre");
    // Odd parts are the addresses.
    text.split(ADDRESS).forEach((part, index) => {
      if (index % 2 === 0) return listing.append(part);
      const page = findPage(part);
      if (page === null) return listing.append(part);
      const link = document.createElement("a");
      link.href = page;
      link.textContent = part;
      listing.append(link);
    });
    output.append(listing);
  }
  output.hidden = false;
  output.scrollIntoView({ block: "nearest" });
}
