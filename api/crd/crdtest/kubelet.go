package crdtest

func kubeletCases() []Case {
	const at = "spec.kubelet"
	kubelet := func(name, value, field, says string) Case {
		c := Case{Name: "kubelet " + name, Create: at + ` = {` + value + `}`}
		if says != "" {
			c.At, c.Says = at+field, says
		}
		return c
	}
	cases := []Case{
		kubelet("with everything", `clusterDNS: [10.0.0.10], maxPods: 110, podsPerCore: 10, systemReserved: {cpu: 100m, pid: "100"}, kubeReserved: {memory: 1Gi, ephemeral-storage: 1Gi}, evictionHard: {memory.available: 5%, pid.available: "100"}, evictionSoft: {nodefs.available: 10.5%, nodefs.inodesFree: 100%}, evictionSoftGracePeriod: {nodefs.available: 1m, nodefs.inodesFree: 1m30s}, evictionMaxPodGracePeriod: 60, imageGCHighThresholdPercent: 85, imageGCLowThresholdPercent: 80, cpuCFSQuota: false`, "", ""),
		kubelet("with negative maxPods", `maxPods: -1`, ".maxPods", "greater than or equal to 0"),
		kubelet("with negative podsPerCore", `podsPerCore: -1`, ".podsPerCore", "greater than or equal to 0"),
		kubelet("with soft thresholds without grace periods", `evictionSoft: {memory.available: 5%}`, "", "each key of evictionSoft needs one in evictionSoftGracePeriod"),
		kubelet("with a soft threshold without its grace period", `evictionSoft: {memory.available: 5%, pid.available: 5%}, evictionSoftGracePeriod: {memory.available: 1m}`, "", "each key of evictionSoft needs one in evictionSoftGracePeriod"),
		kubelet("with grace periods without soft thresholds", `evictionSoftGracePeriod: {memory.available: 1m}`, "", "each key of evictionSoftGracePeriod needs one in evictionSoft"),
		kubelet("with a grace period without its soft threshold", `evictionSoft: {memory.available: 5%}, evictionSoftGracePeriod: {memory.available: 1m, pid.available: 1m}`, "", "each key of evictionSoftGracePeriod needs one in evictionSoft"),
		kubelet("with equal image thresholds", `imageGCHighThresholdPercent: 80, imageGCLowThresholdPercent: 80`, "", "imageGCHighThresholdPercent must be greater than imageGCLowThresholdPercent"),
		kubelet("with image thresholds the wrong way round", `imageGCHighThresholdPercent: 50, imageGCLowThresholdPercent: 60`, "", "imageGCHighThresholdPercent must be greater than imageGCLowThresholdPercent"),
	}
	cases = append(cases, Case{Name: "kubelet with a field that a class cannot set", Create: at + ` = {cpuManagerPolicy: static}`,
		Says: `unknown field "spec.kubelet.cpuManagerPolicy"`})
	for _, field := range []string{"systemReserved", "kubeReserved"} {
		cases = append(cases,
			kubelet(field+" of an unknown resource", field+`: {gpu: "1"}`, "."+field, field+" may only have cpu, memory, ephemeral-storage and pid"),
			kubelet(field+" negative", field+`: {cpu: "-1"}`, "."+field, field+" values cannot be negative"),
			kubelet(field+" that is no quantity", field+`: {cpu: some}`, "."+field+".cpu", sayPattern),
		)
	}
	for _, field := range []string{"evictionHard", "evictionSoft"} {
		for _, bad := range []string{"110%", "some", ""} {
			c := kubelet(field+` with the threshold "`+bad+`"`, field+`: {memory.available: "`+bad+`"}, evictionSoftGracePeriod: {memory.available: 1m}`, "."+field+".memory.available", sayPattern)
			if field == "evictionHard" {
				c.Create = at + ` = {evictionHard: {memory.available: "` + bad + `"}}`
			}
			cases = append(cases, c)
		}
	}
	const unknown = " may only have memory.available, nodefs.available, nodefs.inodesFree, imagefs.available, imagefs.inodesFree and pid.available"
	cases = append(cases, kubelet("evictionHard of an unknown signal", `evictionHard: {cpu.available: 5%}`, ".evictionHard", "evictionHard"+unknown))
	// A signal that only one of the two maps has breaks another rule, so both have it and both refuse it.
	both := `evictionSoft: {cpu.available: 5%}, evictionSoftGracePeriod: {cpu.available: 1m}`
	soft := kubelet("evictionSoft of an unknown signal", both, ".evictionSoft", "evictionSoft"+unknown)
	soft.Also = at + ".evictionSoftGracePeriod"
	grace := kubelet("evictionSoftGracePeriod of an unknown signal", both, ".evictionSoftGracePeriod", "evictionSoftGracePeriod"+unknown)
	grace.Also = at + ".evictionSoft"
	cases = append(cases, soft, grace)
	for _, field := range []string{"imageGCHighThresholdPercent", "imageGCLowThresholdPercent"} {
		cases = append(cases,
			kubelet(field+" negative", field+`: -1`, "."+field, "greater than or equal to 0"),
			kubelet(field+" above 100", field+`: 101`, "."+field, "less than or equal to 100"),
		)
	}
	return of("EC2NodeClass", cases)
}
