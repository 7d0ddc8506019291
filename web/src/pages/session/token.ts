/** The secret of a one-time link stands behind the `#` of its address: browsers send that part to nobody. It is read once, and then
 * taken out of the address, so that it stays in no history. */
export function takeToken(): string {
  const token = location.hash.slice(1);
  if (token) history.replaceState(null, "", location.pathname + location.search);
  return token;
}
