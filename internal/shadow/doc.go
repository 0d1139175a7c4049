// Package shadow keeps account of a cluster that another controller runs: what that controller did, what it cost, and
// what the planner would have done at the same moments.
//
// It is handed what was seen (Sight) and what was planned of it (Thought), and makes a report. It knows no server and
// no clock, carries nothing out, and decides nothing itself: plans are the planner's, moves those that the controller
// would begin.
package shadow
