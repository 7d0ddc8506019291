// What is attached to a message, and attaching it.

const KINDS: Record<string, string> = { image: "Picture", audio: "Sound", video: "Video" };
const size = (bytes: number): string => (bytes < 1_000_000 ? `${Math.max(1, Math.round(bytes / 1000))} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`);

export const ATTACHMENTS = {
  kinds: KINDS,
  file: "File",
  open: (name: string) => `Open ${name}`,
  size,
  why: {
    type: "not kept, because of its type.",
    size: "not kept, because it is too large.",
    missing: "stays on the phone.",
    deleted: "was deleted.",
    waiting: "is being fetched.",
    not_fetched: "could not be fetched. The message's story says why.",
    going: "goes with the text.",
  } as Record<string, string>,
};

/** Types a person would name, in this order. */
const NAMED: readonly (readonly [string, string])[] = [
  ["image/jpeg", "JPEG"], ["image/png", "PNG"], ["image/gif", "GIF"], ["image/webp", "WebP"], ["video/mp4", "MP4"], ["audio/mpeg", "MP3"], ["application/pdf", "PDF"], ["text/vcard", "vCard"],
];

export const ATTACHING = {
  attach: "Attach",
  attachMore: "Attach files",
  list: "Attachments",
  remove: (name: string) => `Remove ${name}`,
  again: "Try again",
  uploading: "Uploading…",
  ready: (name: string) => `${name} is attached`,
  limits: (most: number, each: number, all: number) => `Up to ${most}, each up to ${size(each)}, together ${size(all)}.`,
  used: (count: number, most: number, bytes: number, all: number) => `${count} of ${most} · ${size(bytes)} of ${size(all)}`,
  mms: "1 MMS",
  none: "No SIM here sends attachments: its phone's app has to say that it can. Send the words alone, or pair a phone whose app sends MMS.",
  notThis: (line: string) => `${line} cannot send attachments: its phone's app does not send MMS. Choose another sender, or let the hub choose.`,
  cannot: "sends no attachments",
  wait: "It can be sent when everything is uploaded.",
  mend: "Take out what could not be attached, or try it again, then send.",
  drop: "Drop files here to attach them",
  tooMany: (most: number) => `A text carries at most ${most} attachments. The rest was left out.`,
  empty: (name: string) => `${name} was left out: it is empty.`,
  tooLarge: (name: string, bytes: number, most: number) => `${name} was left out: it has ${size(bytes)}, and one attachment may have ${size(most)}. Make it smaller, or send a link.`,
  tooMuch: (name: string, most: number) => `${name} was left out: all attachments together may have ${size(most)}.`,
  type: (name: string, types: readonly string[]) => {
    const known = NAMED.filter(([type]) => types.includes(type)).map(([, label]) => label);
    return `${name} was left out: this hub does not send such files.${known.length ? ` It sends ${known.join(", ")} and the like.` : ""}`;
  },
};
