//! Every row of the list of threats, and what stands for it: the tests that show the wanted behaviour,
//! or the reason why there is none. Look an advisory up here (`grep CVE-2023-43669`), then its test
//! (`grep -rn "fn NAME" src tests`).
//!
//! Rows: H opening handshake, F frames and messages, B back pressure, threads and the system, T TLS, X
//! compression, M what people met, `2b.N` further triggers, and the advisories by their ids.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The advisories that the list names; its other rows are numbered.
const ADVISORIES: &str = "
CVE-2014-0193 CVE-2015-1779 CVE-2016-10518 CVE-2016-10542 CVE-2017-15268 CVE-2017-18922
CVE-2017-2670 CVE-2017-2921 CVE-2018-1000518 CVE-2018-12541 CVE-2018-21035 CVE-2019-17567
CVE-2019-19494 CVE-2020-13935 CVE-2020-14368 CVE-2020-27813 CVE-2020-35896 CVE-2020-7662
CVE-2020-7663 CVE-2021-32640 CVE-2021-33880 CVE-2021-3690 CVE-2022-21676 CVE-2022-25762
CVE-2022-35922 CVE-2022-37797 CVE-2022-41556 CVE-2022-41940 CVE-2023-43669 CVE-2024-23672
CVE-2024-23898 CVE-2024-37890 CVE-2025-10148 CVE-2025-11677 CVE-2025-32049 CVE-2025-5399
CVE-2025-64763 CVE-2026-0716 CVE-2026-100558 CVE-2026-100658 CVE-2026-102467 CVE-2026-103472
CVE-2026-106024 CVE-2026-109932 CVE-2026-11586 CVE-2026-12151 CVE-2026-123817 CVE-2026-1526
CVE-2026-1527 CVE-2026-1528 CVE-2026-15565 CVE-2026-15709 CVE-2026-15711 CVE-2026-19204
CVE-2026-2229 CVE-2026-27889 CVE-2026-2833 CVE-2026-32062 CVE-2026-34742 CVE-2026-39804
CVE-2026-41399 CVE-2026-42786 CVE-2026-44211 CVE-2026-44545 CVE-2026-45541 CVE-2026-45736
CVE-2026-47073 CVE-2026-48779 CVE-2026-50161 CVE-2026-5067 CVE-2026-54274 CVE-2026-54464
CVE-2026-54466 CVE-2026-54490 CVE-2026-59898 CVE-2026-61666 CVE-2026-62389 CVE-2026-63495
CVE-2026-73561 CVE-2026-73565 CVE-2026-79677 CVE-2026-85024 CVE-2026-87022 CVE-2026-9675
GHSA-4pqm-j46f-795x GHSA-5v72 GHSA-jc97-h3h9-7xh6 GO-2026-6278 GO-2026-6559
RUSTSEC-2017-0002 RUSTSEC-2020-0008 RUSTSEC-2020-0031 RUSTSEC-2020-0043 RUSTSEC-2020-0052
RUSTSEC-2021-0020 RUSTSEC-2021-0078 RUSTSEC-2022-0019 RUSTSEC-2022-0035 RUSTSEC-2023-0034
RUSTSEC-2023-0065 RUSTSEC-2024-0009 RUSTSEC-2024-0332 RUSTSEC-2024-0336 RUSTSEC-2024-0399
RUSTSEC-2025-0024 RUSTSEC-2026-0033 RUSTSEC-2026-0101 RUSTSEC-2026-0181 RUSTSEC-2026-0258
ws-8.20.1
";

const NUMBERED: [(&str, u32); 6] = [
    ("H", 26),
    ("F", 18),
    ("B", 22),
    ("T", 4),
    ("X", 4),
    ("2b.", 38),
];

/// Rows M, what people met, as far as they are in the table.
const MET: &str = "
M6
M8
";

/// For each row, or rows that go together: what it is about, then its tests, or with a dash the reason
/// why there is none for it, or for a part of it.
const TABLE: &str = "
H1: a request that comes slowly, or not at all
    h01_a_dribbling_client_gets_408_and_disturbs_nobody
    h01_a_silent_client_is_gone_at_its_deadline
    the_oldest_handshake_gives_way_to_newer_ones
H2: a head that is too long
    h02_a_head_limit_beyond_16_bits_is_cut_to_them
    h02_a_head_of_exactly_the_limit_passes
    h02_limits_of_target_lines_and_head
    h02_long_heads_get_431_and_414
    h02_refused_at_the_first_byte_too_many
    cve_2023_43669_header_dribble_is_never_scanned_twice
    cve_2023_43669_seventy_kilobytes_in_31_packets
    cve_2023_43669_a_head_in_single_bytes
H3: folded lines
    h03_folded_lines
    h03_h04_h05_malformed_lines_get_400
H4: line ends and control characters
    h03_h04_h05_malformed_lines_get_400
    h04_line_ends_and_control_characters
H5: header names
    h03_h04_h05_malformed_lines_get_400
    h05_header_names
H6: headers sent twice
    h06_headers_that_may_come_once
    h06_lists_are_joined_over_their_lines
    h06_single_headers_sent_twice
H7: Upgrade and Connection are lists
    h07_upgrade_and_connection_are_lists_of_tokens
    h07_upgrade_is_a_token_list
H8: a key without Upgrade
    h08_who_wants_an_upgrade_is_not_answered_as_if_it_did_not
    h08_a_key_without_upgrade_gets_426
    h08_a_key_without_upgrade_or_connection
    cve_2026_59898_no_upgrade_without_its_header
H9: a body with the upgrade
    h09_an_upgrade_with_a_body_gets_400
    h09_lengths_that_are_none
    h09_no_body_with_an_upgrade
    cve_2018_12541_bodies_and_what_claims_one
H10: a second request behind a refusal
    h10_a_second_request_after_a_refusal_is_never_answered
    h10_h11_bytes_after_the_head_are_not_looked_at
    h10_one_answer_per_connection
H11: a frame in the segment of the head
    h10_h11_bytes_after_the_head_are_not_looked_at
    h11_a_frame_behind_the_head_is_delivered
H12: other protocols
    h12_a_tls_client_on_a_plain_port_is_told_apart
    h12_http_1_0_is_served_with_and_without_host
    h12_other_protocols_are_told_apart
    h12_versions_and_other_protocols
H13: other methods
    h13_an_upgrade_is_a_get_and_head_never_is_one
    h13_methods
    h13_other_methods_get_405
    head_gets_the_head_of_get
H14: forms of the target
    h14_forms_of_the_target
    h14_target_forms
H15: a bad Host
    h15_a_bad_host_gets_400
    h15_host
    cve_2026_61666_a_malformed_host
H16: bad keys
    h16_bad_keys_get_400
    h16_keys
    cve_2026_5067_a_key_that_is_too_long
H17: other versions
    h17_other_versions_get_426
    h17_versions
H18: subprotocols
    h18_a_hook_chooses_among_the_offers
    h18_subprotocols
    h18_the_servers_favourite_subprotocol_is_chosen
    cve_2021_32640_subprotocol_lists_of_64_kib
    cve_2021_32640_subprotocols_of_spaces_and_commas
H19: extensions
    h19_extensions_are_declined_whatever_they_say
    h19_offers_of_extensions_are_declined
    h19_long_offers_are_read_once
    cve_2020_7662_extensions_of_any_kind
H20: line breaks in what the application sends
    h20_no_header_can_start_another_one
    h20_a_hook_cannot_break_a_header_in_two
    h20_headers_that_cannot_be_sent
    h20_no_header_can_start_another_one
    h20_set_cookie_adds_and_others_replace
H21: origins
    h21_foreign_origins_are_refused
    h21_listed_origins_may_connect
    h21_listed_origins_pass
    h21_pages_of_other_sites_are_refused
    h21_same_host_origins_pass
H22: DNS rebinding
    h22_a_rebound_name_gets_403
    h22_a_rebound_name_is_refused_to_browsers
    h22_a_server_of_a_network_answers_to_addresses_and_local_names
    h22_configured_hosts_are_added_in_both_cases
    h22_hosts_of_a_listener_on_the_network
    h22_hosts_of_a_loopback_listener
    h22_the_refusal_says_what_to_set
    h22_without_an_origin_and_in_absolute_form
H23: a thousand failed handshakes
    h23_a_thousand_failed_handshakes_leave_nothing_behind
H24: the accept hook
    h24_a_cause_is_for_the_log_only_escaped_and_cut_short
    h24_a_hook_that_comes_too_late_costs_its_own_client_only
    h24_an_error_of_a_hook_becomes_a_500_with_its_text_in_the_log
    h24_statuses_that_cannot_be_answered
    h24_the_accept_hook_decides
    h24_the_accept_hook_is_asked_once_and_only_where_all_else_is_in_order
    a_handshake_whose_hook_blocks_gives_way_too
H25: half-closed and reset clients
    h25_a_client_that_half_closes_in_mid_head_is_told
    h25_a_half_closed_client_still_gets_its_101
    h25_a_reset_before_the_answer_is_a_count_and_no_event
H26: the refusal reaches who keeps sending
    h26_a_client_that_keeps_sending_reads_the_whole_refusal
    h26_a_client_that_never_stops_sending_is_cut_off
    h26_a_refused_client_that_does_not_leave_is_let_go_of
    every_refusal_is_a_complete_answer_that_closes
F1: unmasked frames
    f01_to_f04_malformed_headers_get_1002
    f01_unmasked_is_1002
F2: reserved bits and opcodes
    f01_to_f04_malformed_headers_get_1002
    f02_reserved_bits_and_opcodes_are_1002_at_the_first_byte
    f02_without_negotiation_the_bit_is_1002
F3: long or fragmented control frames
    f01_to_f04_malformed_headers_get_1002
    f03_fragmented_or_long_control_is_1002
F4: lengths not in their shortest form
    f01_to_f04_malformed_headers_get_1002
    f04_length_not_minimal_is_1002_unless_allowed
    f04_longer_lengths_are_taken_where_that_is_set
F5: huge lengths
    f05_gorilla_cve_2020_27813
    f05_huge_lengths_never_overflow
    f05_lengths_beyond_every_bound
F6: announced lengths cost nothing
    f06_a_short_message_before_a_long_one_waits_in_little_room
    f06_an_announced_length_keeps_nothing
    f06_at_most_twice_what_arrived_is_allocated
    f06_no_more_than_twice_what_came_out_is_allocated
    f06_cve_2022_35922_announced_lengths_cost_nothing
F7: a byte per segment
    f07_a_message_that_dribbles_is_given_up
    f07_a_byte_per_segment
    f07_a_message_that_dribbles_is_given_up
    f07_a_dripping_message_ends_at_the_assembly_timeout
    f07_byte_by_byte_is_one_message_in_one_buffer
    f07_f10_a_dripping_message_gets_no_more_time
F8: endless fragments
    f08_f09_fragments_out_of_bounds_and_out_of_order
    f08_fragments_exact_and_one_more_empty_ones_count
    f08_message_bytes_exact_and_one_more
    f08_fragments_of_compressed_messages_count
F9: fragments out of order
    f08_f09_fragments_out_of_bounds_and_out_of_order
    f09_continuations_out_of_order_are_1002
F10: control frames between fragments
    f07_f10_a_dripping_message_gets_no_more_time
    f10_control_frames_are_no_progress
    f10_control_frames_between_fragments_come_in_order
    f10_control_frames_give_a_message_no_more_time
    f10_pings_between_fragments_are_answered_in_order
F11: invalid UTF-8
    f11_characters_split_anywhere
    f11_incremental_check_agrees_with_the_whole
    f11_invalid_utf8_is_1007_as_soon_as_impossible
    f11_inflated_text_is_checked_as_it_comes
    f11_text_that_is_not_utf_8_gets_1007_at_once
    f11_valid_utf8_may_be_split_anywhere
F12: close codes and reasons
    f12_close_codes
    f12_close_payloads
    f12_every_close_code
F13: data after a Close
    f13_a_peer_that_never_answers_our_close_is_left_in_time
    f13_a_close_that_is_never_answered_ends_at_the_close_timeout
    f13_a_peer_that_never_answers_our_close_is_left_in_time
    f13_a_peer_that_goes_on_sending_after_our_close_is_cut_off
    f13_after_a_close_everything_is_ignored
    f13_cve_2024_23672_a_peer_that_stays_after_its_close_is_let_go_of
    f13_messages_before_a_fault_are_answered_first
    f13_what_comes_after_a_close_is_ignored
    after_our_close_the_end_waits_for_no_application
    a_close_without_an_answer_ends_at_the_close_timeout
F14: the Close that we send
    f14_reasons_are_cut_between_characters
    f14_the_applications_close_reaches_the_peer
    f14_what_peers_say_stays_on_its_line_and_secrets_stay_out
    f14_what_we_send_as_a_close
F15: floods of pings
    f15_while_the_stream_takes_nothing_the_latest_ping_wins
    f15_a_pong_behind_dropped_messages_has_its_deadline
    f15_a_pong_that_is_begun_is_finished_before_the_next
    f15_a_pong_that_never_leaves_ends_the_connection_whatever_the_policy
    f15_f16_a_million_control_frames_allocate_nothing
    f15_f16_pings_and_pongs_leave_nothing_behind
    f15_of_many_pings_the_last_is_answered_whatever_the_peer_reads
    f15_one_pong_waits_and_the_latest_ping_wins
    f15_pongs_for_a_peer_that_never_reads_are_bounded_and_end_it
    f15_while_the_stream_takes_nothing_the_latest_ping_wins
F16: floods of pongs
    f15_f16_a_million_control_frames_allocate_nothing
    f15_f16_pings_and_pongs_leave_nothing_behind
    f16_unsolicited_pongs_are_no_event
    f16_unsolicited_pongs_are_no_events
F17: a flood leaves others their turn
    f17_a_flood_of_pings_leaves_others_their_turn
    f17_a_flood_of_pongs_never_collects_more_than_a_write
    f17_a_flooding_peer_gets_its_messages_meanwhile
    f17_collected_pongs_leave_in_one_write
    f17_each_call_gives_one_event_so_that_the_caller_can_count
    - the optional cap on the rate (1008) is not there: a flood takes its own thread's time, and its answers are bounded
F18: masks
    f18_any_mask_key
    f18_every_key_arrives_the_same
    f18_masking_is_the_same_for_every_split_and_alignment
B1: a client that never reads
    b01_a_handler_that_sends_waits_and_gives_up_at_the_write_deadline
    b01_a_stream_in_memory_that_never_reads_is_given_up
    b01_disconnect_drops_whole_frames_and_queues_close_1013_behind_the_partial
    b01_drop_newest_gives_the_message_back
    b01_drop_newest_keeps_the_peer_and_gives_the_message_back
    b01_drop_oldest_keeps_the_newest_message_and_one_that_is_begun_and_no_more
    b01_drop_oldest_leaves_gaps_only_where_it_dropped
    b01_drop_oldest_never_cuts_a_partly_written_frame
    b01_one_that_never_reads_beside_a_hundred_healthy
    b01_one_that_never_reads_is_dropped_while_others_get_everything
    b01_others_stay_bounded_while_a_handler_waits
    bounds_count_only_what_the_socket_refused
B2: a client that reads a trickle
    b02_a_pong_in_front_hides_no_older_message
    b02_a_slow_reader_of_a_big_answer_is_let_go_of_at_the_write_deadline
    b02_a_trickle_does_not_move_the_deadline
    b02_a_trickle_reader_is_given_up_at_the_deadline_of_what_waits
    b02_dropping_policies_do_not_count_the_age_of_a_ping
    b02_dropping_policies_let_a_slow_peer_stay
B3: a frame cut off
    b03_behind_a_frame_that_was_cut_off_comes_nothing
    b03_past_the_deadline_a_partial_frame_ends_in_a_reset
B4: a flood of messages
    b04_b05_a_flood_meets_a_slow_application
    - not a queue of 1,024 but bytes of credit bound what waits, and one slot is kept for each Close
B5: an application that stalls
    b04_b05_a_flood_meets_a_slow_application
    b05_after_the_reset_nothing_is_due
    deadlines_stand_still_while_the_application_is_slow
B6: readers that wait for each other
    b06_readers_that_share_little_credit_all_come_through
    - the application never waits for a connection, by construction; a proof by loom waits for a workspace of its own
B7: a full server
    b07_a_full_server_answers_503_until_a_close_was_taken
    b07_a_full_server_with_a_handler_is_free_when_the_handler_is_done
B8: no threads
    b08_no_thread_is_started_in_the_way_that_panics
    b08_out_of_threads_and_back
    b08_without_threads_clients_get_503_and_the_server_lives
B9: no descriptors
    b09_a_flood_of_refusals_is_a_few_lines
    b09_out_of_descriptors_and_back
    a_flood_of_one_reason_is_counted_and_others_still_show
B10: churn and bursts
    b10_a_burst_of_clients_waits_in_the_backlog
    b16_a_thousand_resets_leave_nothing_behind
B11: the memory budget
    b11_the_memory_that_peers_can_take_is_told_at_the_start
    - the optional budget that answers 1013 is not there: inbound_total makes readers wait, and TCP their peers
B12: panics
    b12_a_stream_that_panics_under_a_run_costs_its_own_connection
    b12_a_handler_that_panics_or_fails_closes_with_1011
    b12_a_panic_of_the_application_thread_closes_every_connection
    b12_a_panic_of_the_handler_shuts_the_server_down
    b12_a_panic_of_the_hook_gets_500_and_the_server_goes_on
    b12_a_stream_that_panics_at_its_end_costs_its_own_handshake
    b12_a_stream_that_panics_under_a_broadcast_costs_its_own_connection
    b12_a_stream_that_panics_under_a_handler_that_waits_costs_its_own_connection
    b12_a_stream_that_panics_under_its_reader_costs_its_own_connection
    b12_a_stream_that_panics_when_it_is_to_be_watched_costs_its_own_connection
B13: poisoned locks
    b13_a_poisoned_lock_is_taken_over
    b13_a_stream_that_panics_under_the_helper_costs_its_own_connection
B14: half-open connections
    b14_a_silent_peer_is_given_up_after_ping_and_pong_wait
    b14_any_byte_is_a_sign_of_life
    b14_the_heartbeat_pings_a_silent_peer_and_a_pong_keeps_it
B15: end of stream without Close
    b15_an_end_of_stream_without_a_close_is_1006
    b15_an_end_of_stream_without_a_close_is_1006_and_frees_the_slot
B16: resets
    b16_a_broken_stream_takes_nothing_and_wakes_its_reader
    b16_a_reset_at_any_time_is_one_close
    b16_a_thousand_resets_leave_nothing_behind
B17: small messages
    b17_a_message_leaves_at_once_in_one_write
    b17_small_messages_do_not_wait_for_acknowledgements
B18: ports
    b18_a_port_that_browsers_refuse_is_warned_of
    b18_a_port_that_is_taken_is_reported
    b18_a_server_takes_its_port_again_at_once
    b18_the_port_can_be_bound_again_at_once
B19: SIGPIPE
    b19_a_peer_that_is_gone_kills_nobody
    b19_the_signal_would_have_killed
B20: a clock that jumps, a process that stood still
    b20_a_handshake_that_goes_on_behind_its_deadline_takes_any_byte
    b20_a_message_under_way_may_be_completed
    b20_a_standstill_is_worth_one_round_and_being_a_little_late_is_worth_none
    b20_a_standstill_shows_by_a_deadline_that_nobody_waited_for
    b20_after_a_standstill_the_peer_gets_one_more_round
    b20_behind_a_standstill_a_close_has_its_whole_time_again
    b20_behind_a_standstill_the_peer_has_its_whole_time_again
    b20_what_waited_for_too_long_is_offered_before_anything_is_dropped_for_it
    b20_who_answered_meanwhile_is_not_dropped
    b20_who_had_not_answered_a_close_may_do_so
    b20_who_had_not_answered_gets_one_more_round
    b20_who_had_not_read_everything_may_do_so
    b20_who_had_not_read_what_a_handler_sends_may_do_so
    b20_who_had_not_sent_all_of_its_request_may_do_so
    deadlines_stand_still_while_the_application_is_slow
B21: order of events
    b21_broadcasts_reach_a_connection_from_its_open_event_on
    b21_clients_come_and_go_during_a_storm_of_broadcasts
    b21_messages_come_in_wire_order_from_many_clients_at_once
    - 1,000 clients are 200 here, in every way to leave; the thousand is for the tests that take long
B22: shutdown in every state
    b22_a_connection_whose_101_is_just_written_closes_cleanly
    b22_a_dropped_server_does_not_wait_for_those_that_never_read
    b22_a_handler_that_blocks_is_reported
    b22_a_handler_that_was_sending_has_not_failed
    b22_a_hook_that_blocks_is_reported_also_where_its_handshake_gave_way
    b22_a_hook_that_blocks_is_reported_and_holds_nothing_up
    b22_a_send_that_is_blocked_in_a_handler_ends_at_the_close_timeout
    b22_a_send_that_is_blocked_in_a_handler_ends_with_the_shutdown
    b22_a_shutdown_does_not_wait_for_descriptors
    b22_a_shutdown_waits_for_no_tls_handshake
    b22_a_stop_waits_for_a_thread_that_is_slow_and_not_for_one_that_is_busy
    b22_a_stream_that_comes_behind_the_shutdown_is_refused_at_once
    b22_a_stream_that_comes_during_the_shutdown_does_not_hold_it_up
    b22_a_stream_that_keeps_its_thread_has_its_close_all_the_same
    b22_a_stream_that_keeps_its_thread_when_it_is_dropped_is_reported
    b22_from_another_thread_every_client_sees_1001_and_events_end
    b22_from_within_the_loop_with_much_still_waiting
    b22_half_a_request_does_not_hold_a_shutdown_up
    b22_in_every_state_of_a_connection
    b22_shutdown_is_idempotent_from_any_thread
RUSTSEC-2023-0065 CVE-2023-43669 2b.21: tungstenite: a head in many packets
    cve_2023_43669_header_dribble_is_never_scanned_twice
    cve_2023_43669_seventy_kilobytes_in_31_packets
    cve_2023_43669_a_head_in_single_bytes
RUSTSEC-2022-0035 CVE-2022-35922 2b.5: rust-websocket: allocation by the announced length
    f06_cve_2022_35922_announced_lengths_cost_nothing
RUSTSEC-2020-0043 CVE-2020-35896 2b.16: ws-rs: unbounded outgoing buffer
    cve_2020_35896_echo_to_a_peer_that_never_reads_is_bounded
    b01_one_that_never_reads_beside_a_hundred_healthy
    f15_pongs_for_a_peer_that_never_reads_are_bounded_and_end_it
RUSTSEC-2024-0009 RUSTSEC-2017-0002 CVE-2026-1527: trillium, hyper, undici: line breaks in headers we send
    rustsec_2024_0009_no_line_break_leaves_in_a_header
    h20_headers_that_cannot_be_sent
RUSTSEC-2020-0031 RUSTSEC-2021-0078 RUSTSEC-2021-0020 RUSTSEC-2020-0008 CVE-2018-12541 2b.28: tiny_http, hyper, Vert.x, mongoose CVE-2023-34188: bodies and lengths
    cve_2018_12541_bodies_and_what_claims_one
    h09_lengths_that_are_none
    h15_a_bad_host_gets_400
    h16_bad_keys_get_400
RUSTSEC-2026-0033 CVE-2026-2833 CVE-2019-17567 CVE-2025-64763 CVE-2026-100658: pingora, httpd, Envoy, Netty: bytes behind a refused upgrade
    cve_2019_17567_no_tunnel_behind_a_refusal
    h10_a_second_request_after_a_refusal_is_never_answered
RUSTSEC-2026-0258 CVE-2026-62389 2b.10: h2, ws 8.21.1: empty frames without end
    cve_2026_62389_empty_fragments_count
RUSTSEC-2024-0332 CVE-2015-1779: h2, QEMU: headers without end
    h02_refused_at_the_first_byte_too_many
    cve_2023_43669_a_head_in_single_bytes
RUSTSEC-2023-0034 CVE-2017-2670: h2, Undertow: floods of resets, unclean closes that spin
    b16_a_thousand_resets_leave_nothing_behind
RUSTSEC-2026-0181 CVE-2026-1528 CVE-2026-50161 CVE-2026-103472 GO-2026-6559 CVE-2026-27889 2b.2 2b.4: vibeio-http, undici, libre, restbed, sipgo, NATS: lengths that wrap
    cve_2026_1528_lengths_at_the_end_of_64_bits
    f05_huge_lengths_never_overflow
RUSTSEC-2025-0024 RUSTSEC-2020-0052 RUSTSEC-2022-0019: crossbeam-channel: double free
    rustsec_2025_0024_crossbeam_channel_is_one_that_was_mended
RUSTSEC-2026-0101: safe-agent-rs: a malicious look-alike
    rustsec_2026_0101_nothing_with_an_advisory_is_built_in
CVE-2026-48779 CVE-2026-12151 2b.9: ws, undici: one-byte fragments without end
    cve_2026_48779_one_byte_fragments_for_ever
CVE-2024-37890 2b.22: ws: two thousand headers
    cve_2024_37890_two_thousand_headers
CVE-2021-32640 2b.24 CVE-2026-45541 2b.25: ws, esp-idf: subprotocols of spaces and commas
    cve_2021_32640_subprotocol_lists_of_64_kib
    cve_2021_32640_subprotocols_of_spaces_and_commas
GHSA-5v72 CVE-2020-7662 CVE-2020-7663 CVE-2026-2229 2b.20 2b.23: ws 2017, websocket-extensions, undici: extension offers
    cve_2020_7662_extensions_of_any_kind
    h19_extensions_are_declined_whatever_they_say
    h19_long_offers_are_read_once
    x03_cve_2026_2229_bad_parameters_decline_the_offer
CVE-2016-10542 CVE-2025-32049 CVE-2018-21035 CVE-2026-15565: ws, libsoup, Qt, Undertow: no limit, or none that can be lowered
    cve_2016_10542_messages_have_a_limit_by_default
CVE-2016-10518 ws-8.20.1 CVE-2026-45736 2b.36: ws: uninitialised memory in pong and Close
    cve_2016_10518_answers_carry_what_was_sent_and_nothing_else
    f14_reasons_are_cut_between_characters
CVE-2026-9675 CVE-2014-0193 CVE-2026-42786 CVE-2026-63495 2b.11: undici, Netty, Bandit, libevent: the sum of the fragments
    cve_2026_42786_fragments_that_are_too_much_together
    f08_message_bytes_exact_and_one_more
CVE-2026-85024: undici: work after the limit was hit
    x01_cve_2026_85024_nothing_counts_behind_a_bomb
    cve_2026_85024_after_a_fault_nothing_counts
    after_a_violation_everything_is_ignored
CVE-2026-109932 CVE-2026-11586: undici, curl: pongs pile up
    f15_one_pong_waits_and_the_latest_ping_wins
    f15_pongs_for_a_peer_that_never_reads_are_bounded_and_end_it
CVE-2021-3690 2b.14: Undertow: a flood of pongs leaks
    f15_f16_a_million_control_frames_allocate_nothing
CVE-2025-5399: curl: an endless loop around a pong it could not send
    f15_a_pong_that_is_begun_is_finished_before_the_next
    f15_a_pong_that_never_leaves_ends_the_connection_whatever_the_policy
CVE-2022-21676 2b.12 2b.26: engine.io, py 16.1: reserved bits
    cve_2022_21676_reserved_bits
CVE-2022-41940 CVE-2022-37797: engine.io, lighttpd: resets and rubbish during the upgrade
    cve_2022_41940_resets_during_the_upgrade
    h25_a_reset_before_the_answer_is_a_count_and_no_event
CVE-2026-61666: faye: a malformed Host
    cve_2026_61666_a_malformed_host
CVE-2026-73565: Hono: a bad key leaks an object
    h23_a_thousand_failed_handshakes_leave_nothing_behind
CVE-2026-73561 CVE-2026-32062: Hub, OpenClaw: silent clients
    h01_a_silent_client_is_gone_at_its_deadline
    h23_a_thousand_failed_handshakes_leave_nothing_behind
CVE-2026-41399: OpenClaw: upgrades without bound
    cve_2026_41399_handshakes_are_bounded_in_number_and_time
    the_oldest_handshake_gives_way_to_newer_ones
CVE-2026-100558: OpenClaw: a malformed upgrade keeps its socket
    h23_a_thousand_failed_handshakes_leave_nothing_behind
    h26_a_refused_client_that_does_not_leave_is_let_go_of
CVE-2026-54274: aiohttp: frames that stay incomplete
    cve_2026_54274_large_frames_that_stay_incomplete
CVE-2026-123817: aiohttp: an object for each tiny read
    f07_byte_by_byte_is_one_message_in_one_buffer
    f06_at_most_twice_what_arrived_is_allocated
CVE-2026-44545: daphne: 0 means unlimited
    cve_2026_44545_zero_is_no_way_to_say_unlimited
CVE-2020-27813 CVE-2017-2921 2b.1: gorilla, mongoose: a negative length
    cve_2020_27813_a_negative_length
    f05_gorilla_cve_2020_27813
CVE-2020-13935 CVE-2026-15711 2b.3: Tomcat, libsoup: long forms of length in control frames
    cve_2026_15711_oversized_control_frames
    f03_fragmented_or_long_control_is_1002
CVE-2022-25762: Tomcat: sending while closing
    cve_2022_25762_nothing_is_sent_behind_a_close
    nothing_is_taken_after_a_close
CVE-2024-23672 2b.15: Tomcat: a client that stays after the Close
    f13_cve_2024_23672_a_peer_that_stays_after_its_close_is_let_go_of
    f13_a_close_that_is_never_answered_ends_at_the_close_timeout
CVE-2026-79677: Tomcat: the write timeout was lost
    b02_a_trickle_reader_is_given_up_at_the_deadline_of_what_waits
    b01_a_handler_that_sends_waits_and_gives_up_at_the_write_deadline
CVE-2017-15268: QEMU: a slow reader leaks
    b01_one_that_never_reads_beside_a_hundred_healthy
    a_handle_that_outlives_its_connection_holds_nothing
CVE-2026-59898 2b.27: Netty, libwebsockets: no Upgrade header, or another value
    cve_2026_59898_no_upgrade_without_its_header
CVE-2026-19204: Jetty: an unknown opcode with a huge length
    cve_2026_19204_an_unknown_opcode_with_a_huge_length
CVE-2026-47073: hackney: head, frame and fragments without a cap
    h02_long_heads_get_431_and_414
    cve_2016_10542_messages_have_a_limit_by_default
    cve_2026_42786_fragments_that_are_too_much_together
CVE-2017-18922: LibVNCServer: partial frames
    cve_2017_18922_partial_and_pipelined_frames
    random_bytes_never_panic
CVE-2026-0716: libsoup: out of bounds where no limit is set
    cve_2026_1528_lengths_at_the_end_of_64_bits
CVE-2026-5067: Zephyr: a key that is too long
    cve_2026_5067_a_key_that_is_too_long
CVE-2025-11677: libwebsockets: the hook refuses
    cve_2025_11677_a_hook_refuses_every_other_upgrade
CVE-2022-41556: lighttpd: a half-closed client keeps its slot
    b15_an_end_of_stream_without_a_close_is_1006_and_frees_the_slot
CVE-2026-106024 2b.6: mongoose: fragments out of order
    cve_2026_106024_fragments_out_of_order
GHSA-jc97-h3h9-7xh6: Deno: long Connection and Upgrade lists
    ghsa_jc97_h3h9_7xh6_long_connection_lists
    ghsa_jc97_h3h9_7xh6_long_lists_in_connection_and_upgrade
CVE-2019-19494 CVE-2026-44211 CVE-2020-14368 CVE-2024-23898 GHSA-4pqm-j46f-795x 2b.31: Cable Haunt, Cline, Che, Jenkins, Hermes; IPython CVE-2014-3429, engineio CVE-2019-13611, Tilt CVE-2026-55883, DevSpace CVE-2026-42283, Komari GHSA-q355-h244-969h, farm GHSA-p773-8mf4-rjm5: pages of other sites
    cve_2019_19494_pages_of_other_sites_are_refused_by_default
    h21_pages_of_other_sites_are_refused
    h21_foreign_origins_are_refused
CVE-2026-34742 2b.32: MCP Go SDK, py #1246: DNS rebinding
    cve_2026_34742_rebinding_is_refused_by_default
    h22_a_rebound_name_is_refused_to_browsers
CVE-2026-54466 2b.7: websocket-driver: frames of old drafts
    cve_2026_54466_frames_of_old_drafts_are_refused
    h17_other_versions_get_426
2b.8: uWebSockets: unmasking goes on into the next frame, so does the tail of a compressed one
    cve_2017_18922_partial_and_pipelined_frames
    f18_masking_is_the_same_for_every_split_and_alignment
    x03_cve_2026_87022_messages_stay_apart
2b.13: eventlet CVE-2021-21419: huge frames
    cve_2016_10542_messages_have_a_limit_by_default
    x01_huge_compressed_frames_are_refused_by_their_length
    x01_cve_2018_1000518_a_bomb_gets_1009
2b.17: Mesop: a thread for each message
    mesop_no_thread_for_a_message
2b.18: Nezha CVE-2026-53522, Pterodactyl CVE-2025-69199, SiYuan CVE-2026-33203: a cap per address, a deadline before the hook
    one_address_may_be_given_a_bound
    h24_a_hook_that_comes_too_late_costs_its_own_client_only
2b.29: smuggling: every refusal closes, no line break leaves
    cve_2019_17567_no_tunnel_behind_a_refusal
    every_refusal_is_a_complete_answer_that_closes
    rustsec_2024_0009_no_line_break_leaves_in_a_header
2b.30: websocketd: dribbled heads, a path shown as a page
    h01_a_dribbling_client_gets_408_and_disturbs_nobody
    websocketd_a_path_is_not_shown_as_a_page
    - wshub serves no files, runs no programs and listens on TCP alone
2b.34: ecnepsnai/web GO-2021-0107: the hook runs once for each upgrade
    cve_2025_11677_a_hook_refuses_every_other_upgrade
    h24_the_accept_hook_is_asked_once_and_only_where_all_else_is_in_order
2b.38: py #1336, Java #1418, gorilla: closing with unread data, frames with the head
    py_1336_closing_with_unread_data
    java_1418_frames_in_the_segment_of_the_head
    h11_a_frame_behind_the_head_is_delivered
T1 RUSTSEC-2024-0399: TLS handshakes that stall, dribble, come in pieces or without end
    t01_silence_half_a_client_hello_and_a_whole_one_all_end_at_the_deadline
    t01_a_byte_now_and_then_does_not_move_the_deadline
    t01_a_client_hello_in_many_records_is_one_client_hello
    t01_a_client_hello_without_end_is_refused_before_it_fills_memory
    t01_fifty_stalled_handshakes_beside_fifty_healthy_peers
T2 RUSTSEC-2024-0336: close_notify in the TLS handshake
    t02_close_notify_in_the_handshake_neither_loops_nor_hangs
T3: renegotiation, key updates, records of one byte
    t03_one_byte_records_and_some_key_updates_carry_a_message
    t03_a_flood_of_key_updates_ends_its_connection_only
    t03_a_flood_of_key_updates_ends_the_connection
    t03_a_flood_of_empty_records_ends_its_connection_only
    t03_key_updates_between_single_bytes_cost_no_memory_and_move_no_deadline
    - renegotiation: tests/interop/run wss, with openssl s_client
T4: the end of a TLS stream without close_notify
    t04_an_end_without_close_notify_is_a_truncation
    t04_an_end_without_close_notify_or_without_close_frame_is_abnormal
X1: bombs, and data that is none
    x01_x03_violations_of_a_server_that_compresses
    x01_a_bomb_costs_no_more_than_the_limit
    x01_a_message_may_take_a_quarter_more_than_the_limit_and_a_little
    x01_a_message_of_exactly_the_limit_passes_and_one_byte_more_does_not
    x01_cve_2018_1000518_a_bomb_gets_1009
    x01_cve_2026_85024_nothing_counts_behind_a_bomb
    x01_huge_compressed_frames_are_refused_by_their_length
    x01_malformed_data_and_too_much_of_it
    x01_malformed_data_gets_1007
    x01_random_bytes_never_panic_nor_pass_the_limit
X2: secrets beside text that others chose
    x02_messages_with_secrets_go_uncompressed
    x02_handlers_and_streams_send_secrets_uncompressed
X3: parameters out of range, reserved bits, boundaries
    x01_x03_violations_of_a_server_that_compresses
    x03_a_client_fails_on_what_it_did_not_offer
    x03_a_server_that_compresses_otherwise_than_offered_is_refused
    x03_cve_2026_2229_bad_parameters_decline_the_offer
    x03_a_message_that_is_cut_behind_a_final_block_is_malformed
    x03_cve_2026_87022_a_message_ends_where_a_block_ends
    x03_cve_2026_87022_messages_stay_apart
    x03_reserved_bits_get_1002_where_they_mean_nothing
    x03_the_bit_on_other_frames_than_a_messages_first_is_1002
X4: memory of a connection
    x04_connections_that_wait_hold_no_codec
    x04_memory_is_given_back_between_messages_and_never_within_one
    x04_memory_goes_with_silence_and_after_a_long_message
    x04_nothing_is_compressed_by_default
    x04_spare_compressors_are_few
M6: zero, one and the maximum in each field of the limits
    m06_a_client_works_with_them_or_refuses_them_by_name
    m06_a_server_works_with_the_extremes_of_each_limit_or_refuses_them_by_name
    m06_a_stream_of_ones_own_works_with_them_or_refuses_them_by_name
    m06_the_least_head_lets_a_client_in
M8: requests that are odd and valid, and bodies whose end nobody knows
    m08_a_body_whose_end_nobody_knows_gets_400
    m08_a_line_of_cookies_is_as_long_as_the_head_may_be
    m08_a_later_minor_version_is_served_as_1_1
    m08_a_path_may_begin_with_two_slashes
    m08_codings_whose_last_is_not_chunked
    m08_one_empty_line_in_front_is_ignored
    m08_one_line_may_fill_the_head
    m08_requests_that_are_odd_and_valid_are_served
    m08_the_empty_line_in_front_counts
    m08_what_is_too_long_names_its_limit
CVE-2026-1526 CVE-2018-1000518 CVE-2026-39804 CVE-2026-54464 CVE-2026-54490 CVE-2026-102467 CVE-2026-15709 2b.19: bombs (NATS CVE-2026-27571, too), and limits on the compressed size
    x01_cve_2018_1000518_a_bomb_gets_1009
    x01_a_bomb_costs_no_more_than_the_limit
    x01_a_message_may_take_a_quarter_more_than_the_limit_and_a_little
    x01_a_message_of_exactly_the_limit_passes_and_one_byte_more_does_not
CVE-2026-87022: Tomcat: messages smuggled through permessage-deflate
    x03_a_message_that_is_cut_behind_a_final_block_is_malformed
    x03_cve_2026_87022_a_message_ends_where_a_block_ends
    x03_cve_2026_87022_messages_stay_apart
GO-2026-6278 CVE-2025-10148 2b.37: gorilla, curl, Java #1132: predictable masks
    every_frame_is_masked_with_a_key_of_its_own
    keys_differ
    no_key_is_given_where_the_source_fails
2b.35: Java client CVE-2020-11050: no check of the host name
    certificates_that_are_not_to_be_trusted_say_what_to_do
CVE-2021-33880 2b.33: python websockets: comparing passwords takes as long as they agree
    cve_2021_33880_a_part_or_nothing_is_not_the_secret
    cve_2021_33880_every_bit_of_every_byte_counts
    cve_2021_33880_two_differences_do_not_cancel_out
";

fn rows() -> BTreeSet<String> {
    let numbered = NUMBERED
        .iter()
        .flat_map(|(letter, last)| (1..=*last).map(move |n| format!("{letter}{n}")));
    numbered
        .chain(ADVISORIES.split_whitespace().map(str::to_owned))
        .chain(MET.split_whitespace().map(str::to_owned))
        .collect()
}

/// What the table has for a row.
#[derive(Default)]
struct Entry {
    tests: BTreeSet<&'static str>,
    reasons: Vec<&'static str>,
}

fn table() -> BTreeMap<&'static str, Entry> {
    let mut table = BTreeMap::<&str, Entry>::new();
    let mut rows = "";
    for line in TABLE.lines().filter(|line| !line.is_empty()) {
        let Some(item) = line.strip_prefix("    ") else {
            (rows, _) = line.split_once(": ").expect("ROWS: TITLE");
            continue;
        };
        for row in rows.split(' ') {
            let entry = table.entry(row).or_default();
            match item.strip_prefix("- ") {
                Some(reason) => entry.reasons.push(reason),
                None => drop(entry.tests.insert(item)),
            }
        }
    }
    table
}

/// The names of all functions in these sources with `#[test]` on them.
fn tests_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // Other workspaces have lists of their own.
        if path.is_dir() && !path.join("Cargo.toml").exists() {
            tests_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(tests_of(&fs::read_to_string(&path).unwrap()));
        }
    }
}

fn tests_of(source: &str) -> Vec<String> {
    let functions = source
        .split("\n")
        .skip_while(|line| line.trim() != "#[test]");
    let mut is_test = false;
    let mut names = Vec::new();
    for line in functions.map(str::trim) {
        if line == "#[test]" {
            is_test = true;
        } else if let Some(rest) = line.strip_prefix("fn ").filter(|_| is_test) {
            let name = rest.split(['(', '<']).next().unwrap_or_default();
            names.push(name.to_owned());
            is_test = false;
        }
    }
    names
}

fn all_tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    tests_in(&root.join("src"), &mut found);
    tests_in(&root.join("tests"), &mut found);
    found
}

/// The rows that a test is named after: `f01_to_f04_…`, `b04_b05_…`, `…_cve_2023_43669_…`.
fn rows_named_by(test: &str) -> Vec<String> {
    let words: Vec<&str> = test.split('_').collect();
    let mut rows: Vec<String> = Vec::new();
    let mut numbers = words.iter().peekable();
    let mut last = None;
    while let Some(word) = numbers.next() {
        if let Some((letter, number)) = row_number(word) {
            rows.push(format!("{letter}{number}"));
            last = Some(number);
        } else if let (&"to", Some(first)) = (word, last) {
            let Some((letter, end)) = numbers.peek().and_then(|word| row_number(word)) else {
                break;
            };
            rows.extend((first + 1..end).map(|number| format!("{letter}{number}")));
        } else {
            break;
        }
    }
    for (at, word) in words.iter().enumerate() {
        let parts = match *word {
            "cve" | "rustsec" | "go" => 3,
            "ghsa" => 4,
            _ => continue,
        };
        let id = words.get(at..at + parts).unwrap_or_default();
        let numbers = id
            .iter()
            .skip(1)
            .all(|word| word.contains(|c: char| c.is_ascii_digit()));
        if !id.is_empty() && numbers {
            let (kind, rest) = (word.to_uppercase(), id[1..].join("-"));
            rows.push(format!("{kind}-{rest}"));
        }
    }
    rows
}

/// `h07` is row 7 of H.
fn row_number(word: &str) -> Option<(String, u32)> {
    let (letter, number) = word.split_at_checked(1)?;
    let is_row = "hfbmtx".contains(letter) && number.len() == 2;
    let number = number.parse().ok().filter(|_| is_row)?;
    Some((letter.to_uppercase(), number))
}

#[test]
fn every_row_has_its_tests_or_its_reason() {
    let (rows, table) = (rows(), table());
    let missing: Vec<_> = rows
        .iter()
        .filter(|row| !table.contains_key(&***row))
        .collect();
    assert!(missing.is_empty(), "no test and no reason: {missing:?}");
    for (row, entry) in table {
        assert!(rows.contains(row), "there is no row {row}");
        assert!(
            entry.reasons.iter().all(|reason| reason.len() > 20),
            "{row}"
        );
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let all = all_tests();
    assert!(all.len() > 300, "only {} tests were found", all.len());
    for (row, entry) in table() {
        for test in entry.tests {
            assert!(all.contains(test), "{row}: there is no test {test}");
        }
    }
}

#[test]
fn every_test_named_after_a_row_is_in_its_row() {
    let table = table();
    let mut missing = Vec::new();
    for test in all_tests() {
        for row in rows_named_by(&test) {
            let entry = table.get(&*row);
            if !entry.is_some_and(|entry| entry.tests.contains(&*test)) {
                missing.push(format!("{row}: {test}"));
            }
        }
    }
    assert!(missing.is_empty(), "add to TABLE: {missing:#?}");
}

#[test]
fn names_say_their_rows() {
    for (name, rows) in [
        ("h07_upgrade_is_a_token_list", &["H7"][..]),
        ("f01_to_f04_malformed", &["F1", "F2", "F3", "F4"]),
        ("b04_b05_a_flood", &["B4", "B5"]),
        ("f06_cve_2022_35922_lengths", &["F6", "CVE-2022-35922"]),
        ("rustsec_2025_0024_channel", &["RUSTSEC-2025-0024"]),
        ("ghsa_jc97_h3h9_7xh6_lists", &["GHSA-jc97-h3h9-7xh6"]),
        ("a_b01_is_not_at_the_begin", &[]),
        ("go_on", &[]),
    ] {
        assert_eq!(rows_named_by(name), rows, "{name}");
    }
    let source = "#[test]\nfn one() {}\nfn two() {}\n#[test]\n#[ignore]\nfn three<T>() {}";
    assert_eq!(tests_of(source), ["one", "three"]);
}
