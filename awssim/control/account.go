package control

import (
	"time"

	"github.com/dovetail-sh/dovetail/awssim/fault"
)

// Status is a picture of the account.
type Status struct {
	Region    string     `json:"region"`
	Cluster   string     `json:"cluster"`
	Endpoint  string     `json:"clusterEndpoint"`
	Now       time.Time  `json:"now"`
	Calls     int        `json:"calls"`
	Templates int        `json:"launchTemplates"`
	Instances []Instance `json:"instances"`
	Capacity  []Capacity `json:"capacity"`
	Subnets   []Subnet   `json:"subnets"`
	Settings  Settings   `json:"settings"`
	Spending  Spending   `json:"spending"`
}

// Spending is what the instances cost so far, in micro-dollars.
type Spending struct {
	Paid int64 `json:"paid"`
	// OnDemand is what the same instances would have cost on demand.
	OnDemand int64 `json:"onDemand"`
	// Interruptions counts spot instances that were given notice.
	Interruptions int `json:"interruptions"`
}

// Instance is one machine in Status.
type Instance struct {
	ID       string    `json:"id"`
	Type     string    `json:"type"`
	Zone     string    `json:"zone"`
	Capacity string    `json:"capacityType"`
	State    string    `json:"state"`
	Launched time.Time `json:"launched"`
	// Price is in micro-dollars an hour.
	Price int64  `json:"price"`
	Node  string `json:"node,omitempty"`
	// BootFailure says why the machine never joined.
	BootFailure string `json:"bootFailure,omitempty"`
}

// Capacity says how many more instances a pool can launch; nil is without end.
type Capacity struct {
	Type      string `json:"type"`
	Zone      string `json:"zone"`
	Capacity  string `json:"capacityType"`
	Available *int   `json:"available"`
}

// VCPUs is an account quota; nil is without end.
type VCPUs struct {
	Bucket   string `json:"bucket"` // "standard", "g", "p", "inf", "trn", "x", "f", "dl", "hpc", "u"
	Capacity string `json:"capacityType"`
	VCPUs    *int   `json:"vcpus"`
}

// Subnet says how many addresses a subnet has left.
type Subnet struct {
	ID   string `json:"id"`
	Zone string `json:"zone"`
	Free int    `json:"free"`
}

// Call says that an API call was made. Code is AWS's error code, empty when the
// call succeeded; Fault says how it was made to go wrong, empty when it was
// not.
type Call struct {
	Time      time.Time  `json:"time"`
	Service   string     `json:"service"`
	Action    string     `json:"action"`
	AccessKey string     `json:"accessKey,omitempty"`
	Code      string     `json:"code,omitempty"`
	Fault     fault.Kind `json:"fault,omitempty"`
}
