// What is attached to a message.
export const ATTACHMENTS = {
  kinds: { image: "Picture", audio: "Sound", video: "Video" } as Record<string, string>,
  file: "File",
  open: (name: string) => `Open ${name}`,
  size: (bytes: number) => (bytes < 1_000_000 ? `${Math.max(1, Math.round(bytes / 1000))} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`),
  why: {
    type: "not kept, because of its type.",
    size: "not kept, because it is too large.",
    missing: "stays on the phone.",
    deleted: "was deleted.",
    waiting: "is being fetched.",
    not_fetched: "could not be fetched. The message's story says why.",
  } as Record<string, string>,
};
