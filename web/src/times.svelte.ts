/** Times as people say them, in the browser's own zone, and a clock that components can follow. */

const LANGUAGE = "en-GB";
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

let now = $state(Date.now());
setInterval(() => (now = Date.now()), 10_000);

/** The present, renewed every ten seconds; what reads it is shown anew. */
export function present(): number {
  return now;
}

const clock = new Intl.DateTimeFormat(LANGUAGE, { hour: "2-digit", minute: "2-digit" });
const clockWithSeconds = new Intl.DateTimeFormat(LANGUAGE, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const weekday = new Intl.DateTimeFormat(LANGUAGE, { weekday: "short" });
const dayAndMonth = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "short" });
const dayMonthYear = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "short", year: "numeric" });
const longDay = new Intl.DateTimeFormat(LANGUAGE, { weekday: "long", day: "numeric", month: "long" });
const longDayAndYear = new Intl.DateTimeFormat(LANGUAGE, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const full = new Intl.DateTimeFormat(LANGUAGE, { weekday: "long", day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });

type When = string | number | Date;

function date(when: When): Date {
  return when instanceof Date ? when : new Date(when);
}

/** Days between two moments by the calendar here: 0 is the same day, 1 is yesterday. */
export function daysAgo(when: When, from: number = now): number {
  const a = date(when);
  const b = new Date(from);
  return Math.round((Date.UTC(b.getFullYear(), b.getMonth(), b.getDate()) - Date.UTC(a.getFullYear(), a.getMonth(), a.getDate())) / DAY);
}

/** `10:41` */
export function timeOf(when: When): string {
  return clock.format(date(when));
}

/** `10:41:07.123` */
export function exactTime(when: When): string {
  return `${clockWithSeconds.format(date(when))}.${String(date(when).getMilliseconds()).padStart(3, "0")}`;
}

/** For lists: `10:41` today, `Thu` this week, `18 Nov`, `18 Nov 2025`. */
export function shortTime(when: When): string {
  const days = daysAgo(when);
  if (days === 0) return timeOf(when);
  if (days > 0 && days < 7) return weekday.format(date(when));
  return date(when).getFullYear() === new Date(now).getFullYear() ? dayAndMonth.format(date(when)) : dayMonthYear.format(date(when));
}

/** The head of a day: `Today`, `Yesterday`, `Wednesday 18 November`. */
export function dayOf(when: When): string {
  const days = daysAgo(when);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  if (days === -1) return "Tomorrow";
  const format = date(when).getFullYear() === new Date(now).getFullYear() ? longDay : longDayAndYear;
  return format.format(date(when)).replace(",", "");
}

/** In a sentence: `10:41`, `yesterday at 10:41`, `18 Nov at 10:41`. */
export function moment(when: When): string {
  const days = daysAgo(when);
  if (days === 0) return timeOf(when);
  if (days === 1) return `yesterday at ${timeOf(when)}`;
  if (days === -1) return `tomorrow at ${timeOf(when)}`;
  return `${shortTime(when)} at ${timeOf(when)}`;
}

/** Everything, for a title. */
export function fullTime(when: When): string {
  return full.format(date(when));
}

/** `12 s`, `6 min`, `1 h 31 min`, `3 days` */
export function span(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  const minutes = Math.floor(s / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 && hours < 12 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} days`;
}

/** `12 s ago`, `in 6 min`, `just now` */
export function ago(when: When): string {
  const seconds = (now - date(when).getTime()) / 1_000;
  if (Math.abs(seconds) < 10) return "just now";
  return seconds > 0 ? `${span(seconds)} ago` : `in ${span(-seconds)}`;
}
