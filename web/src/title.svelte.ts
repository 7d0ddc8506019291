/** The window's title: what is shown, and how much is unread. */

let page = $state("");
let unread = $state(0);

export const title = {
  get text(): string {
    return [unread > 0 ? `(${unread})` : "", page, page ? "·" : "", "Handset Hub"].filter(Boolean).join(" ");
  },
};

/** What this page is called: `$effect(() => setTitle(name))`. */
export function setTitle(text: string): void {
  page = text;
}

export function setUnread(count: number): void {
  unread = count;
}
