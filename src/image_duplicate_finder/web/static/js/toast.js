/** Say for a moment what has happened; screen readers hear it too. */
export function toast(message, seconds = 5) {
  const line = document.createElement("div");
  line.className = "toast";
  line.textContent = message;
  document.getElementById("toasts").append(line);
  setTimeout(() => line.remove(), seconds * 1000);
}
