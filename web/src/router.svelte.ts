/** The page's address is its state: paths under /ui/, read and changed without a reload. */

const BASE = "/ui";

interface Place {
  /** Path below /ui, with a leading slash. */
  path: string;
  query: URLSearchParams;
}

function read(): Place {
  const path = location.pathname.startsWith(BASE) ? location.pathname.slice(BASE.length) : "/";
  return { path: path || "/", query: new URLSearchParams(location.search) };
}

let place = $state.raw<Place>(read());

window.addEventListener("popstate", () => {
  place = read();
});

/** Where we are; reading it in a component follows every change. */
export function here(): Place {
  return place;
}

/** Go to a path below /ui, such as `/conversations?m=msg_…`. `replace` leaves no step for the Back button. */
export function go(to: string, replace = false): void {
  const url = BASE + to;
  if (replace) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  place = read();
}

/** Put into `<a onclick={follow}>`: same-page links without a reload; modified clicks stay the browser's. */
export function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.currentTarget as HTMLAnchorElement;
  if (link.target || link.origin !== location.origin || !link.pathname.startsWith(BASE)) return;
  event.preventDefault();
  go(link.pathname.slice(BASE.length) + link.search);
}

/** The full address of a path below /ui, for `href`. */
export function href(to: string): string {
  return BASE + to;
}

/** The parts of `path` that `pattern` names with colons, or null: `match("/phones/:id", "/phones/dev_1")` is `{id: "dev_1"}`. */
export function match(pattern: string, path: string): Record<string, string> | null {
  const want = pattern.split("/");
  const have = path.split("/");
  if (want.length !== have.length) return null;
  const found: Record<string, string> = {};
  for (const [index, part] of want.entries()) {
    const value = have[index] ?? "";
    if (part.startsWith(":")) found[part.slice(1)] = decodeURIComponent(value);
    else if (part !== value) return null;
  }
  return found;
}
