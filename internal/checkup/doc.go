// Package checkup looks for what keeps a cluster's nodes from being bought, used well or given up. Every finding has a
// stable code, a page in docs/checks and the command that mends it. It reads what it is handed and changes nothing.
package checkup
