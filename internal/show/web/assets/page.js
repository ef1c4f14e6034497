// The page renews itself in place, so that scrolling and pointing stay as they are.
const everyMS = 5000;

async function renew() {
  const live = () => document.getElementById("live");
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("page");
    if (!next) throw new Error("HTTP " + answer.status);
    document.getElementById("page").replaceWith(next);
    live().textContent = "live";
  } catch (reason) {
    live().textContent = "not renewed: the server does not answer (" + reason.message + ")";
  }
}

document.getElementById("live").textContent = "live";
setInterval(renew, everyMS);
