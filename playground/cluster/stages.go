package cluster

import (
	"strings"

	"sigs.k8s.io/kwok/kustomize/stage/node/fast"
	heartbeat "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	podstages "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
)

// podStop ends a pod that was asked to go: a process that obeys SIGTERM takes a
// moment, and never longer than the grace period, because kwok's last word is
// a deletion without one.
const podStop = `apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata:
  name: pod-delete
spec:
  resourceRef:
    apiGroup: v1
    kind: Pod
  selector:
    matchExpressions:
    - key: '.metadata.deletionTimestamp'
      operator: 'Exists'
  delay:
    durationMilliseconds: 300
    durationFrom:
      expressionFrom: '.metadata.annotations["playground.dovetail.sh/stops-after"]'
  next:
    delete: true
`

// jobDone completes the pods of Jobs.
const jobDone = `apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata:
  name: job-done
spec:
  resourceRef:
    apiGroup: v1
    kind: Pod
  selector:
    matchExpressions:
    - key: '.metadata.deletionTimestamp'
      operator: 'DoesNotExist'
    - key: '.status.phase'
      operator: 'In'
      values: ['Running']
    - key: '.metadata.ownerReferences.[].kind'
      operator: 'In'
      values: ['Job']
  delay:
    durationFrom:
      expressionFrom: '.metadata.annotations["playground.dovetail.sh/completes-after"]'
  next:
    statusTemplate: |
      {{ $now := Now }}
      phase: Succeeded
      containerStatuses:
      {{ range .spec.containers }}
      - name: {{ .name | Quote }}
        image: {{ .image | Quote }}
        imageID: ""
        ready: false
        restartCount: 0
        state:
          terminated:
            exitCode: 0
            reason: Completed
            startedAt: {{ $now | Quote }}
            finishedAt: {{ $now | Quote }}
      {{ end }}
`

// devicesPrepared has pods with claims for devices wait until a driver has prepared them, as package devicedriver does.
const devicesPrepared = `    - key: |-
        ((.spec.resourceClaims // []) != [] or .status.extendedResourceClaimStatus != null) and
        .metadata.annotations["playground.dovetail.sh/devices-prepared"] != "true"
      operator: 'NotIn'
      values:
      - 'true'
`

// podReady is kwok's own stage with one more condition.
func podReady() string {
	const before = "    matchExpressions:\n"
	return strings.Replace(podstages.DefaultPodReady, before, before+devicesPrepared, 1)
}

// kwokConfig is how the pretend kubelets behave: nodes become Ready and renew
// their leases, pods run at once or when their devices are ready, and those of Jobs complete
// after the time in their annotation playground.dovetail.sh/completes-after, or at once.
func kwokConfig() string {
	return strings.Join([]string{
		fast.DefaultNodeInit,
		heartbeat.DefaultNodeHeartbeatWithLease,
		podReady(),
		jobDone,
		podStop,
	}, "\n---\n")
}
