/** The key just made, for the samples: kept in this page's memory alone, and gone with it. */

let key = $state<string | null>(null);

export const made = {
  get key(): string | null {
    return key;
  },
  keep(next: string): void {
    key = next;
  },
};

export const PLACEHOLDER = "hub_YOUR_KEY";
