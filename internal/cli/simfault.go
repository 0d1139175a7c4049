package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/awssim/fault"
	"github.com/dovetail-sh/dovetail/internal/view"
)

func newSimFault(s *simulated) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fault",
		Short: "Make AWS calls go wrong",
	}
	cmd.AddCommand(newSimFaultAdd(s), newSimFaultList(s), newSimFaultClear(s))
	return cmd
}

func newSimFaultAdd(s *simulated) *cobra.Command {
	var r fault.Rule
	var hold time.Duration
	cmd := &cobra.Command{
		Use:   "add KIND [SERVICE:]ACTION",
		Short: "Make the next call, or calls by chance, go wrong",
		Long: `Make the next call, or calls by chance, go wrong.

Kinds:
  throttle       refused as calls are that come too fast
  server-error   refused with an internal error, or with --code (ServiceUnavailable, for one)
  time-out       nothing happens and nothing is answered until the client gives up
  reset          nothing happens and the connection is reset
  malformed      carried out; the answer is cut off in its middle
  access-denied  refused as IAM would
  no-capacity    launches find every pool empty
  partial        half is done: half a fleet, half a page, half of the resources of one call
  lost           carried out; the connection is reset instead of an answer

Kinds for machines, which strike the ACTION boot. Parameters are InstanceId, InstanceType, Zone,
CapacityType and Node:
  boot-failure   the machine runs and never joins
  slow-boot      it joins --hold later
  lost-heartbeat it joins, and falls silent after --hold
  other-room     it joins, and its node has the allocatable of --room; with --capacity that capacity too

SERVICE and ACTION may hold wildcards: '*' is every call. The next call goes wrong, unless --count or
--rate say otherwise.`,
		Example: `  dovetail sim fault add throttle CreateFleet --count 3
  dovetail sim fault add server-error 'ec2:*' --rate 0.1
  dovetail sim fault add lost CreateFleet --param '*.InstanceType=m5.*'
  dovetail sim fault add slow-boot boot --hold 10m --param 'Zone=us-east-1a'
  dovetail sim fault add other-room boot --count 0 \
    --room memory=50%,pods=8 --param 'InstanceType=c6a.*'`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: candidates(faultKinds).first,
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := s.client()
			if err != nil {
				return err
			}
			if err := oneOf("KIND", args[0], faultKinds(cmd, nil, "")); err != nil {
				return err
			}
			r.Kind, r.Action, r.Hold = fault.Kind(args[0]), args[1], fault.Duration(hold)
			if service, action, both := strings.Cut(args[1], ":"); both {
				r.Service, r.Action = service, action
			}
			if r.Rate > 0 && !cmd.Flags().Changed("count") {
				r.Count = 0 // a chance has no end of its own
			}
			added, err := client.AddFault(cmd.Context(), r)
			if err != nil {
				return err
			}
			return writeText(cmd.OutOrStdout(), func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "fault %s: %s\n", added.ID, describeFault(added))
				return err
			})
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&r.Count, "count", 1, "how many calls go wrong; 0 is all until the fault is cleared")
	flags.Float64Var(
		&r.Rate,
		"rate",
		0,
		"chance that a call goes wrong, above 0 and at most 1; without --count it has no end",
	)
	flags.IntVar(&r.Skip, "skip", 0, "let so many calls pass first")
	flags.StringToStringVar(
		&r.Params,
		"param",
		nil,
		"only calls with this parameter, as NAME=VALUE with wildcards in both; may be repeated",
	)
	flags.StringVar(&r.Code, "code", "", "error code to refuse with, in place of the service's own")
	flags.StringVar(&r.Message, "message", "", "message to refuse with")
	flags.StringToStringVar(
		(*map[string]string)(&r.Room),
		"room",
		nil,
		"what other-room gives, as RESOURCE=QUANTITY or RESOURCE=PERCENT% of what it would be",
	)
	flags.BoolVar(
		&r.Capacity,
		"capacity",
		false,
		"other-room changes the node's capacity too, not just its allocatable",
	)
	flags.DurationVar(
		&hold,
		"hold",
		0,
		"how long time-out and lost are silent at most; how late slow-boot is; when lost-heartbeat begins",
	)
	return cmd
}

// faultKinds are the kinds of faults.
func faultKinds(*cobra.Command, []string, string) (out []string) {
	for _, k := range fault.Kinds() {
		out = append(out, string(k))
	}
	return out
}

// faultList is what fault list prints.
type faultList struct {
	view.Header
	Faults []fault.Rule `json:"faults"`
}

// Text writes one line for each fault.
func (l faultList) Text(w io.Writer) error {
	if len(l.Faults) == 0 {
		_, err := fmt.Fprintln(w, "no call goes wrong: there are no faults")
		return err
	}
	rows := make([]string, len(l.Faults))
	for i, r := range l.Faults {
		rows[i] = fmt.Sprintf("%s\t%s\t%d\t%d", r.ID, describeFault(r), r.Seen, r.Hits)
	}
	return table(w, "ID\tFAULT\tMET\tSPOILED", rows)
}

func newSimFaultList(s *simulated) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the faults, with how many calls each met and spoiled",
		Args:  noArguments("sim fault list"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("-o", output, tableOrJSON); err != nil {
				return err
			}
			client, err := s.client()
			if err != nil {
				return err
			}
			rules, err := client.Faults(cmd.Context())
			if err != nil {
				return err
			}
			list := faultList{simHeader("SimulatedFaults"), append([]fault.Rule{}, rules...)}
			return write(cmd.OutOrStdout(), output, list, list.Text)
		},
	}
	addOutput(cmd, &output)
	return cmd
}

func newSimFaultClear(s *simulated) *cobra.Command {
	return &cobra.Command{
		Use:   "clear [ID...]",
		Short: "Remove the named faults, or all",
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := s.client()
			if err != nil {
				return err
			}
			return client.ClearFaults(cmd.Context(), args...)
		},
	}
}

// describeFault says in words what a rule does.
func describeFault(r fault.Rule) string {
	out := string(r.Kind)
	if r.Code != "" {
		out += " " + r.Code
	}
	for _, name := range slices.Sorted(maps.Keys(r.Room)) {
		out += " " + name + "=" + r.Room[name]
	}
	calls := strings.TrimPrefix(r.Service+":"+r.Action, ":")
	for _, name := range slices.Sorted(maps.Keys(r.Params)) {
		calls += " with " + name + "=" + r.Params[name]
	}
	often := "every call"
	if r.Count > 0 {
		often = fmt.Sprintf("the next %d calls", r.Count)
	}
	if r.Count == 1 {
		often = "the next call"
	}
	if r.Rate > 0 {
		often += fmt.Sprintf(" by a chance of %g", r.Rate)
	}
	if r.Skip > 0 {
		often += fmt.Sprintf(" after %d", r.Skip)
	}
	return out + " for " + often + " of " + calls
}
