// DEV_MODE: loads a page again when a file of the look changed. Only while it is seen, because browsers open six
// connections to a hub and no more; a page in a frame is loaded again by the page around it.
const changes = document.currentScript.dataset.changes;
let stream = null;
function listen() {
  stream?.close();
  stream = null;
  if (window !== window.top || document.visibilityState !== "visible") return;
  stream = new EventSource(changes);
  stream.onmessage = () => location.reload();
}
document.addEventListener("visibilitychange", listen);
addEventListener("pagehide", () => stream?.close());
listen();
