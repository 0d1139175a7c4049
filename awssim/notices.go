package awssim

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/world"
)

// notice is an EventBridge event, as a rule puts it into a queue.
type notice struct {
	Version    string         `json:"version"`
	ID         string         `json:"id"`
	DetailType string         `json:"detail-type"`
	Source     string         `json:"source"`
	Account    string         `json:"account"`
	Time       string         `json:"time"`
	Region     string         `json:"region"`
	Resources  []string       `json:"resources"`
	Detail     map[string]any `json:"detail"`
}

// ec2Notice makes an event of EC2 about one instance.
func (s *Server) ec2Notice(kind string, e world.Effect, detail map[string]any) string {
	detail["instance-id"] = e.Instance.ID
	body, err := json.Marshal(notice{
		Version: "0", ID: s.newID(), DetailType: kind, Source: "aws.ec2", Account: s.options.AccountID,
		Time: e.At.UTC().Format(time.RFC3339), Region: s.options.Region, Detail: detail,
		Resources: []string{fmt.Sprintf("arn:aws:ec2:%s:%s:instance/%s", s.options.Region, s.options.AccountID, e.Instance.ID)},
	})
	if err != nil {
		panic(fmt.Sprintf("awssim: encoding an event made of strings: %v", err))
	}
	return string(body)
}

func (s *Server) stateChange(e world.Effect) string {
	return s.ec2Notice("EC2 Instance State-change Notification", e, map[string]any{"state": e.State.String()})
}

func (s *Server) spotInterruption(e world.Effect) string {
	return s.ec2Notice("EC2 Spot Instance Interruption Warning", e, map[string]any{"instance-action": "terminate"})
}

func (s *Server) rebalance(e world.Effect) string {
	return s.ec2Notice("EC2 Instance Rebalance Recommendation", e, map[string]any{})
}
