"""What phone and hub say to each other, and the rules both keep: no I/O, no clock, msgspec only.

    frames, payloads, codec    the wire: one record per frame, text in and out; wire_types, limits, errors are their words
    enrolment, version         before the first frame; fallback: the same frames over HTTP
    states                     the tables: who may say what when, how a job moves
    hub_side                   the hub's rules: handover (job -> accepted -> go) and numbering (events)
    phone_side                 the phone's rules: phone_jobs, phone_events; phone_step and phone_store are their records
    lines                      which SIM a job means
    vectors/                   golden frames for apps in other languages

docs/device-protocol.md tells every frame and rule with its reason.
"""
