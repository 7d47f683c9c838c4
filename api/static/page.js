"use strict";
// The token stands in the fragment, which browsers send to nobody: whoever merely follows the link spends nothing.
const given = new URLSearchParams(location.hash.slice(1));
const form = document.querySelector("form");
const told = document.querySelector("[role=status]");

async function send(path, body, done) {
  told.textContent = "One moment…";
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      credentials: "omit",
      referrerPolicy: "no-referrer",
    });
    if (answer.ok) {
      form.hidden = true;
      told.textContent = done;
      return;
    }
    const problem = await answer.json();
    told.textContent = [problem.detail, ...(problem.errors || []).map((error) => error.detail)].join(" ");
  } catch {
    told.textContent = "There is no answer. Try again.";
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const token = given.get("token") || "";
  if (form.id === "verify-email") {
    const path = `v1/users/${encodeURIComponent(given.get("user") || "")}/email/verify`;
    send(path, { token }, "Thank you: the address is yours. You can sign in now.");
  } else {
    const body = { token, email: form.email.value, password: form.password.value };
    if (form.display_name.value) body.display_name = form.display_name.value;
    send("v1/administrators", body, "You are the first administrator. You can sign in now.");
  }
});
if (!given.get("token")) {
  form.hidden = true;
  told.textContent = "The link is not complete: open it as it stands in the mail.";
}
