package match

import (
	"github.com/dovetail-sh/dovetail/bench/arena/gauge"
)

// Result is what one run came to.
type Result struct {
	Play       string `json:"play"`
	About      string `json:"about"`
	Contestant string `json:"contestant"`
	Controller string `json:"controller"`
	Policy     string `json:"policy"`
	Settings   string `json:"settings"`

	// Failed is what did not come true, one sentence; empty if all did.
	Failed string `json:"failed,omitempty"`
	// Load is the machine's load average of a minute when the run began.
	Load float64 `json:"loadAtStart"`

	gauge.Measures
}

// Results are a whole session, as results.json keeps it.
type Results struct {
	Command  string            `json:"command"`
	Began    string            `json:"began"` // RFC 3339
	Took     float64           `json:"tookSeconds"`
	Seed     uint64            `json:"seed"`
	Short    bool              `json:"short"`
	Machine  Machine           `json:"machine"`
	Versions map[string]string `json:"versions"`
	Runs     []Result          `json:"runs"`
	// Skipped are runs that were not made, and why, one line each.
	Skipped []string `json:"skipped,omitempty"`
}

// Machine is where it was measured.
type Machine struct {
	CPU    string  `json:"cpu"`
	Cores  int     `json:"cores"`
	Memory float64 `json:"memoryGiB"`
	Kernel string  `json:"kernel"`
}
