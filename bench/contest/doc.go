// Package contest has our planner and the peer's plan the same random clusters, and sorts what they make different.
//
// Each plan is held against the same laws, which neither planner shares code with. A difference is a gain if our plan
// is valid and places more, or the same for less; it is meant if one of the rules that docs/compatibility.md names
// accounts for it; all others are faults. Rules are found by what the cluster and the plans are, never by seeds.
package contest
