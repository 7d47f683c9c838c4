"use strict";
// The token stands in the fragment, which browsers send to nobody: whoever merely follows the link spends nothing.
const given = new URLSearchParams(location.hash.slice(1));
const user = given.get("user") || "";
const token = given.get("token") || "";
const form = document.querySelector("form");
const button = document.querySelector("button");
const told = document.querySelector("[role=status]");

async function send() {
  const filled = [...new FormData(form)].filter(([, value]) => value);
  const answer = await fetch(form.dataset.path.replace("{user}", () => encodeURIComponent(user)), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token, ...Object.fromEntries(filled) }),
    credentials: "same-origin", // some answers have a cookie, by which the device is known at the next sign-in
    referrerPolicy: "no-referrer",
  });
  if (answer.ok) {
    form.hidden = true;
    return form.dataset.done;
  }
  const problem = await answer.json();
  return [problem.detail, ...(problem.errors || []).map((error) => error.detail)].join(" ");
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  told.textContent = "One moment…";
  told.textContent = await send().catch(() => "There is no answer. Try again.");
  button.disabled = false;
});
// Another link that is opened in the same tab changes nothing but the fragment.
addEventListener("hashchange", () => location.reload());
if (!token || (form.dataset.path.includes("{user}") && !user)) {
  form.hidden = true;
  told.textContent = "The link is not complete: open it as it stands in the mail.";
}
