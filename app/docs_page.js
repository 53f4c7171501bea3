// Sends what a form says to the server of this page, and shows what comes back.
document.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const headers = {};
  const query = new URLSearchParams();
  let path = form.dataset.path;
  for (const input of form.querySelectorAll("input")) {
    if (input.dataset.in === "path") path = path.replace("{" + input.name + "}", encodeURIComponent(input.value));
    else if (input.dataset.in === "query" && input.value) query.append(input.name, input.value);
    else if (input.dataset.in === "header" && input.value) headers[input.name] = input.value;
  }
  const body = form.querySelector("textarea")?.value;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const shown = form.querySelector("pre");
  try {
    const answer = await fetch(query.size ? path + "?" + query : path, { method: form.dataset.method, headers, body });
    const text = await answer.text();
    shown.textContent = answer.status + " " + answer.statusText + "\n\n" + pretty(text);
  } catch (error) {
    shown.textContent = String(error);
  }
  shown.hidden = false;
});

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
