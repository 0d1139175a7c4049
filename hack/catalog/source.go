package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// sourceModule is the module whose data/instances.json is read. Its folder is
// asked of the go command, because importing it would embed the file.
const sourceModule = "github.com/LeanerCloud/ec2-instances-info"

// instance is one entry of the published file, as far as it is used.
type instance struct {
	Name        string   `json:"instance_type"`
	Family      string   `json:"family"`
	Generation  string   `json:"generation"`
	VCPU        int      `json:"vCPU"`
	MemoryGiB   float64  `json:"memory"`
	Arch        []string `json:"arch"`
	GPU         int      `json:"GPU"`
	GPUModel    string   `json:"GPU_model"`
	GPUMemory   float64  `json:"GPU_memory"` // GiB, all GPUs together
	Processor   string   `json:"physical_processor"`
	Clock       string   `json:"clock_speed_ghz"`
	Network     string   `json:"network_performance"`
	EBSBaseline int      `json:"ebs_baseline_bandwidth"` // Mbps
	EBSMax      int      `json:"ebs_max_bandwidth"`      // Mbps
	EBSNVMe     bool     `json:"ebs_as_nvme"`
	Storage     *struct {
		Devices int  `json:"devices"`
		Size    int  `json:"size"` // GB, each
		NVMe    bool `json:"nvme_ssd"`
		SSD     bool `json:"ssd"`
	} `json:"storage"`
	Zones   map[string][]string `json:"availability_zones"` // region to zone ids
	Pricing map[string]struct {
		Linux struct {
			OnDemand  string          `json:"ondemand"`
			Spot      []string        `json:"spot"`
			SpotAvg   json.RawMessage `json:"spot_avg"`
			Interrupt string          `json:"pct_interrupt"`
		} `json:"linux"`
	} `json:"pricing"`
}

// load returns the published instances ascending by name.
func load() ([]instance, error) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", sourceModule).Output()
	if err != nil {
		return nil, fmt.Errorf("finding the folder of %s: %w", sourceModule, err)
	}
	folder := strings.TrimSpace(string(dir))
	if folder == "" {
		return nil, fmt.Errorf("module %s is not downloaded: run go mod download in hack/catalog", sourceModule)
	}
	path := filepath.Join(folder, "data", "instances.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the published instances: %w", err)
	}
	var all []instance
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, fmt.Errorf("decoding %s: %w", path, err)
	}
	slices.SortFunc(all, func(a, b instance) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}
