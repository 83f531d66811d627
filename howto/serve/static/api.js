// Asking the server. A refusal is an Error with the server's own words.

async function ask(method, path, parameters, options = {}) {
  const said = new URLSearchParams(parameters);
  const reply = await fetch(said.size ? `${path}?${said}` : path, { method, ...options });
  if (reply.status === 401) {
    location.assign(`/login?${new URLSearchParams({ next: location.pathname + location.search })}`);
  }
  const body = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Error(body.error?.message ?? `the server answered ${reply.status}`);
  return body;
}

export const get = (path, parameters = {}, signal = undefined) =>
  ask("GET", path, parameters, { signal });
export const post = (path, parameters = {}, body = undefined, signal = undefined) =>
  ask("POST", path, parameters, { body: body && JSON.stringify(body), signal });
export const ofVideo = (videoId, rest = "") => `/api/videos/${encodeURIComponent(videoId)}${rest}`;
