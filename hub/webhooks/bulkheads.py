"""How many requests may be open at once, and whose: one slow endpoint, or one account, never takes all places.

1. In all at most `most` (1,024).
2. When the places run short (three quarters are taken), a lane holds at most its share of those three quarters, and 2 in any case. So the
   last quarter is never for lanes that have theirs already: an endpoint that had nothing to send until now finds a place, however many
   others have filled their windows with requests that nobody answers.
3. An account holds at most a quarter, as long as another account is at work too.
4. Slow lanes (one in ten of whose answers takes more than 2 s) hold at most half together.
"""

from collections import Counter

SHORT = 0.75
LEAST_SHARE = 2
ACCOUNT_SHARE = 0.25
SLOW_SHARE = 0.5


class Bulkheads:
    """Counts the requests in flight of one process."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.in_flight = 0
        self._of_lane: Counter[str] = Counter()
        self._of_account: Counter[str] = Counter()
        self._slow_lanes: dict[str, int] = {}
        self._slow = 0

    def admit(self, lane_id: str, account_id: str, *, is_slow: bool) -> bool:
        """Take a place for one request; False when there is none for this lane now."""
        if not self._has_room(lane_id, account_id, is_slow):
            return False
        self.in_flight += 1
        self._of_lane[lane_id] += 1
        self._of_account[account_id] += 1
        if is_slow:
            self._slow += 1
            self._slow_lanes[lane_id] = self._slow_lanes.get(lane_id, 0) + 1
        return True

    def leave(self, lane_id: str, account_id: str) -> None:
        """The request has ended."""
        self.in_flight -= 1
        for counter, key in ((self._of_lane, lane_id), (self._of_account, account_id)):
            counter[key] -= 1
            if counter[key] == 0:
                del counter[key]
        counted_slow = self._slow_lanes.get(lane_id, 0)
        if counted_slow:
            self._slow -= 1
            self._slow_lanes[lane_id] = counted_slow - 1
            if counted_slow == 1:
                del self._slow_lanes[lane_id]

    def _has_room(self, lane_id: str, account_id: str, is_slow: bool) -> bool:
        if self.in_flight >= self.most:
            return False
        if self.in_flight >= self.most * SHORT:
            share = max(LEAST_SHARE, int(self.most * SHORT) // max(1, len(self._of_lane)))
            if self._of_lane[lane_id] >= share:
                return False
        if is_slow and self._slow >= self.most * SLOW_SHARE:
            return False
        if self._of_account[account_id] < self.most * ACCOUNT_SHARE:
            return True
        return len(self._of_account) == 1 and account_id in self._of_account
