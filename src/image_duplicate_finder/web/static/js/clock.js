/** A clock for pages that lie in the background, where browsers slow down their own timers. */

self.addEventListener("message", (event) => setTimeout(() => self.postMessage(null), event.data));
