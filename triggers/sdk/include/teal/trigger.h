/* What a trigger plugin and the host agree on beside the tables of abi.h: types of content, keys of attributes, names
 * of state. docs/write-a-trigger.md tells the whole story. C11 and C++20.
 */
#ifndef TEAL_TRIGGER_H
#define TEAL_TRIGGER_H

#include <teal/abi.h>

/* teal_event.content_type: `data` is a JSON array, the arguments of the function. A function that takes fewer gets the
 * first ones. With any other type the function gets one hash: source, id, type, time, content_type, order_key,
 * attributes, and `data` (parsed if the type is JSON, else a string if it is UTF-8) or `data_base64`. */
#define TEAL_CONTENT_ARGUMENTS "application/vnd.teal.arguments+json"

/* Keys of teal_event.attributes_json that the host reads; all others are passed on. */

/* {"timeout_ms": N}: the source waits for an answer, which comes through `reply` after `accept`; 0: at once, 202.
 * Status 200: `body` is the JSON of the function's value. 500: it failed or was cancelled, {"error":{"kind","message"},
 * "sid"}. 202: it has not ended yet, {"sid"}. 400, 409, 422, 429, 503: no session was started, {"error":{"kind",
 * "message"}}; then there is no `accept`. headers_json: an object of "location", "retry-after", "teal-sid". */
#define TEAL_ATTRIBUTE_REPLY "reply"
/* "stateless": the source would be content with a session of which no record is kept. */
#define TEAL_ATTRIBUTE_MODE "mode"
/* A hexadecimal text: the same (source, id) with another one is refused with 422. */
#define TEAL_ATTRIBUTE_FINGERPRINT "fingerprint"
/* "allow", "skip" or "replace": what happens if the trigger's session before still runs. A skipped event is accepted
 * with an empty sid. */
#define TEAL_ATTRIBUTE_OVERLAP "overlap"

/* The name in teal.host.state/1, below the trigger's id, whose value (a JSON object) `teal triggers` shows as it is. A
 * list "next" of times of RFC 3339 is shown as the next times. Keeping it is up to the plugin. */
#define TEAL_STATE_STATUS "status"

/* `teal fire NAME [--at T]` gives `decode` {"fire":{"trigger":ID,"time":T}}, T of RFC 3339 or left out for now. */
#define TEAL_PLATFORM_FIRE "fire"

#endif
