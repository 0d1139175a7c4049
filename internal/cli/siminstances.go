package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/awssim/control"
	"github.com/dovetail-sh/dovetail/awssim/fault"
	"github.com/dovetail-sh/dovetail/internal/view"
)

func newSimStatus(s *simulated) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the account: settings, spending, subnets and instances",
		Args:  noArguments("sim status"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("-o", output, tableOrJSON); err != nil {
				return err
			}
			client, err := s.client()
			if err != nil {
				return err
			}
			status, err := client.Status(cmd.Context())
			if err != nil {
				return err
			}
			answer := account{simHeader("SimulatedAccount"), status}
			return write(
				cmd.OutOrStdout(),
				output,
				answer,
				func(w io.Writer) error { return printAccount(w, status) },
			)
		},
	}
	addOutput(cmd, &output)
	return cmd
}

// account is what status prints.
type account struct {
	view.Header
	control.Status
}

func printAccount(w io.Writer, s control.Status) error {
	fmt.Fprintf(w, "%s, cluster %s, %s\n", s.Region, s.Cluster, s.Now.Format(time.RFC3339))
	fmt.Fprintf(w, "%s\n", describeSettings(s.Settings))
	fmt.Fprintf(
		w,
		"%d calls, %d launch templates; $%.2f spent ($%.2f on demand), %d interruptions\n\n",
		s.Calls,
		s.Templates,
		float64(s.Spending.Paid)/1e6,
		float64(s.Spending.OnDemand)/1e6,
		s.Spending.Interruptions,
	)
	subnets := make([]string, len(s.Subnets))
	for i, n := range s.Subnets {
		subnets[i] = fmt.Sprintf("%s\t%s\t%d", n.ID, n.Zone, n.Free)
	}
	if err := table(w, "SUBNET\tZONE\tFREE ADDRESSES", subnets); err != nil {
		return err
	}
	fmt.Fprintln(w)
	instances := make([]string, len(s.Instances))
	var failures []string // one line for each machine that never joins
	for i, in := range s.Instances {
		node := in.Node
		if in.BootFailure != "" {
			node = "never joins"
			failures = append(
				failures,
				fmt.Sprintf("%s never joins: %s", in.ID, strings.Join(strings.Fields(in.BootFailure), " ")),
			)
		}
		instances[i] = fmt.Sprintf(
			"%s\t%s\t%s\t%s\t%s\t%s\t%s",
			in.ID,
			in.Type,
			in.Zone,
			in.Capacity,
			in.State,
			dollars(in.Price),
			node,
		)
	}
	if err := table(w, "INSTANCE\tTYPE\tZONE\tCAPACITY\tSTATE\t$/h\tNODE", instances); err != nil {
		return err
	}
	if len(failures) > 0 {
		fmt.Fprintf(w, "\n%s\n", strings.Join(failures, "\n"))
	}
	return nil
}

// describeSettings says what is not as it is by default.
func describeSettings(s control.Settings) string {
	var out []string
	add := func(when bool, format string, args ...any) {
		if when {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	add(*s.Throttling, "calls are throttled")
	add(*s.Floor > 0, "answers take %s at least", time.Duration(*s.Floor))
	add(*s.Lag > 0, "descriptions lag %s", time.Duration(*s.Lag))
	add(*s.Moving, "the market moves with unrest %g", *s.Unrest)
	add(*s.Speed != 1, "time runs %g times as fast", *s.Speed)
	add(*s.Duplicates > 0, "%g%% of the messages come twice", 100**s.Duplicates)
	add(*s.Disorder > 0, "messages are up to %s late", time.Duration(*s.Disorder))
	add(*s.OldShapes, "messages have old shapes")
	if len(out) == 0 {
		return "all settings are at their defaults"
	}
	return strings.Join(out, ", ")
}

func newSimSet(s *simulated) *cobra.Command {
	var throttling, moving, old bool
	var unrest, speed, duplicates float64
	var lag, disorder, floor time.Duration
	cmd := &cobra.Command{
		Use:   "set",
		Short: "Change how strict, late, restless and fast the account is",
		Example: `  dovetail sim set --throttling --lag 3s
  dovetail sim set --moving --unrest 50 --speed 60`,
		Args: noArguments("sim set"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := s.client()
			if err != nil {
				return err
			}
			var c control.Settings
			given := cmd.Flags().Changed
			c.Throttling, c.Moving, c.OldShapes = ifGiven(
				given("throttling"),
				throttling,
			), ifGiven(
				given("moving"),
				moving,
			), ifGiven(
				given("old-shapes"),
				old,
			)
			c.Unrest, c.Speed, c.Duplicates = ifGiven(
				given("unrest"),
				unrest,
			), ifGiven(
				given("speed"),
				speed,
			), ifGiven(
				given("duplicates"),
				duplicates,
			)
			c.Lag, c.Disorder = ifGiven(
				given("lag"),
				fault.Duration(lag),
			), ifGiven(
				given("disorder"),
				fault.Duration(disorder),
			)
			c.Floor = ifGiven(given("floor"), fault.Duration(floor))
			now, err := client.Set(cmd.Context(), c)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), describeSettings(now))
			return err
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&throttling, "throttling", false, "give each action the token bucket that AWS documents")
	flags.DurationVar(&floor, "floor", 0, "the least time that an answer takes, by the wall's clock")
	flags.DurationVar(&lag, "lag", 0, "how far lists and descriptions lag behind")
	flags.BoolVar(&moving, "moving", false, "have the spot market move, run out and interrupt")
	flags.Float64Var(&unrest, "unrest", 1, "how often spot instances are interrupted, in times what AWS publishes")
	flags.Float64Var(&speed, "speed", 1, "how many times as fast as the wall's the account's time passes")
	flags.Float64Var(&duplicates, "duplicates", 0, "chance that a message comes twice, 0 to 1")
	flags.DurationVar(&disorder, "disorder", 0, "how late messages may come, each by chance")
	flags.BoolVar(&old, "old-shapes", false, "send messages in the forms of older documentation")
	return cmd
}

// ifGiven is nil for a flag that was not given.
func ifGiven[T any](given bool, value T) *T {
	if !given {
		return nil
	}
	return &value
}

func newSimInterrupt(s *simulated) *cobra.Command {
	return &cobra.Command{
		Use:   "interrupt NODE",
		Short: "Give a spot instance its two minutes' notice, as FIS and the Spot Interrupter do",
		Long: `Give a spot instance its two minutes' notice: a message in the interruption queue, and the end of the
instance two minutes later. NODE is a node's name or an instance's id.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: candidates(s.instances).first,
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := s.client()
			if err != nil {
				return err
			}
			return client.Interrupt(cmd.Context(), target(args[0]))
		},
	}
}

// target reads a node's name or an instance's id.
func target(name string) control.Target {
	if strings.HasPrefix(name, "i-") {
		return control.Target{Instance: name}
	}
	return control.Target{Node: name}
}

func newSimEvent(s *simulated) *cobra.Command {
	var e control.Event
	var after time.Duration
	cmd := &cobra.Command{
		Use:   "event KIND [NODE]",
		Short: "Have something happen to an instance",
		Long: `Have something happen to an instance. NODE is a node's name or an instance's id.

Kinds:
  rebalance         a rebalance recommendation
  scheduled-change  work on its host is announced, for --after from now; --code says which: instance-reboot,
                    system-reboot, system-maintenance, instance-retirement, instance-stop
  reclaim           an interruptible capacity reservation takes it back after two minutes
  impaired, healed  a status check fails, or passes again; --code says which: instance, system
  silence           the node's heartbeats stop; the instance runs on
  message           put --body into the queue as it is; without a NODE`,
		Example: `  dovetail sim event scheduled-change ip-10-0-1-2.ec2.internal \
    --code instance-retirement --after 336h
  dovetail sim event impaired i-0123456789abcdef0 --code system
  dovetail sim event message --body '{"detail-type": "rubbish"}'`,
		Args: cobra.RangeArgs(1, 2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return candidates(eventKinds).cobra(cmd, args, typed)
			}
			return candidates(s.instances).cobra(cmd, args, typed)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := s.client()
			if err != nil {
				return err
			}
			if err := oneOf("KIND", args[0], eventKinds(cmd, nil, "")); err != nil {
				return err
			}
			e.Kind, e.After = control.EventKind(args[0]), fault.Duration(after)
			if len(args) > 1 {
				e.Target = target(args[1])
			}
			return client.Befall(cmd.Context(), e)
		},
	}
	cmd.Flags().StringVar(&e.Code, "code", "", "which event or status check")
	cmd.Flags().DurationVar(&after, "after", 0, "when scheduled work begins, from now")
	cmd.Flags().StringVar(&e.Body, "body", "", "the message")
	return cmd
}

// eventKinds are the kinds of events.
func eventKinds(*cobra.Command, []string, string) (out []string) {
	for _, k := range control.EventKinds() {
		out = append(out, string(k))
	}
	return out
}
