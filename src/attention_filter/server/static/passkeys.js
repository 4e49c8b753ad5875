// Passkeys: the browser makes one or signs with one; the server asks and checks. Without them nothing is shown.
"use strict";

async function send(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body ?? {}),
  });
  if (!answer.ok) throw new Error(path + ": " + answer.status);
  return answer.json();
}

async function register(part) {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(await send("/passkeys/register/options"));
  const credential = await navigator.credentials.create({ publicKey });
  const name = part.querySelector("input").value;
  return send("/passkeys/register", { name, credential: credential.toJSON() });
}

async function signIn(part) {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await send("/passkeys/sign-in/options"));
  const credential = await navigator.credentials.get({ publicKey });
  return send("/passkeys/sign-in", { next: part.dataset.next, credential: credential.toJSON() });
}

function offer(part, act) {
  if (!part || !window.PublicKeyCredential?.parseCreationOptionsFromJSON) return;
  const button = part.querySelector("button");
  const problem = part.querySelector("[role=alert]");
  part.hidden = false;
  button.addEventListener("click", async () => {
    problem.textContent = "";
    button.disabled = true;
    try {
      location.assign((await act(part)).next);
    } catch {
      problem.textContent = problem.dataset.failed; // the person has cancelled, or it was not verified
    } finally {
      button.disabled = false;
    }
  });
}

offer(document.querySelector("[data-passkey-register]"), register);
offer(document.querySelector("[data-passkey-sign-in]"), signIn);
