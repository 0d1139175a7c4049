{{- /* The controller's settings, one variable for each flag. */ -}}
{{- define "dovetail.env" -}}
{{- $s := .Values.settings -}}
- name: SYSTEM_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: CPU_REQUESTS
  valueFrom:
    resourceFieldRef:
      containerName: {{ include "dovetail.container" . }}
      divisor: 1m
      resource: requests.cpu
- name: MEMORY_LIMIT
  valueFrom:
    resourceFieldRef:
      containerName: {{ include "dovetail.container" . }}
      divisor: "0"
      resource: limits.memory
- name: KARPENTER_SERVICE
  value: {{ include "dovetail.fullname" . | quote }}
- name: LOG_LEVEL
  value: {{ .Values.logLevel | quote }}
- name: LOG_OUTPUT_PATHS
  value: {{ join "," .Values.logOutputPaths | quote }}
- name: LOG_ERROR_OUTPUT_PATHS
  value: {{ join "," .Values.logErrorOutputPaths | quote }}
- name: METRICS_PORT
  value: {{ .Values.controller.metrics.port | quote }}
- name: HEALTH_PROBE_PORT
  value: {{ .Values.controller.healthProbe.port | quote }}
{{- if include "dovetail.on" (list . .Values.web.enabled) }}
- name: WEB_ADDRESS
  value: {{ printf ":%v" .Values.web.port | quote }}
{{- end }}
- name: CLOUD
  value: {{ include "dovetail.cloud" . | quote }}
{{- if include "dovetail.on" (list . .Values.journal.enabled) }}
- name: JOURNAL_DIR
  value: {{ include "dovetail.journalDir" . }}
{{- end }}
{{- if eq (include "dovetail.cloud" .) "aws" }}
- name: CLUSTER_NAME
  value: {{ include "dovetail.text" (list . $s.clusterName) | required "settings.clusterName is required: the name of the EKS cluster" | quote }}
{{- end }}
{{- range $variable, $value := dict
  "CLUSTER_CA_BUNDLE" $s.clusterCABundle "CLUSTER_ENDPOINT" $s.clusterEndpoint "INTERRUPTION_QUEUE" $s.interruptionQueue
  "BATCH_MAX_DURATION" $s.batchMaxDuration "BATCH_IDLE_DURATION" $s.batchIdleDuration
  "PREFERENCE_POLICY" $s.preferencePolicy "MIN_VALUES_POLICY" $s.minValuesPolicy
  "PLACEMENT" $s.placement "PLACEMENT_HOLD" $s.placementHold
  "ISOLATED_VPC" $s.isolatedVPC "EKS_CONTROL_PLANE" $s.eksControlPlane "VM_MEMORY_OVERHEAD_PERCENT" $s.vmMemoryOverheadPercent
  "REBALANCE_ACTION" $s.rebalanceAction "ENABLE_ZONAL_SHIFT" $s.enableZonalShift "RESERVED_ENIS" $s.reservedENIs
  "DISABLE_CLUSTER_STATE_OBSERVABILITY" $s.disableClusterStateObservability
  "SURGE_SINGLE_REPLICAS" $s.surgeSingleReplicas "USE_OPEN_RESERVATIONS" $s.useOpenReservations
  "DISABLE_DRY_RUN" $s.disableDryRun "AMI_REFRESH_INTERVAL" $s.amiRefreshInterval "SUBNET_REFRESH_INTERVAL" $s.subnetRefreshInterval
  "SECURITY_GROUP_REFRESH_INTERVAL" $s.securityGroupRefreshInterval }}
{{- with include "dovetail.text" (list $ $value) }}
- name: {{ $variable }}
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- $g := default (dict) $s.featureGates }}
{{- $a := default (dict) $s.awsFeatureGates }}
{{- $dra := include "dovetail.on" (list . $s.enableDRA) }}
{{- $efa := ternary true $a.draEFA (eq $dra "yes") }}
{{- $gpu := ternary true $a.draNVIDIAGPU (eq $dra "yes") }}
{{- $planned := or (include "dovetail.on" (list . $efa)) (include "dovetail.on" (list . $gpu)) }}
- name: IGNORE_DRA_REQUESTS
  value: {{ include "dovetail.text" (list . $s.ignoreDRARequests) | default (ternary "false" "true" (ne $planned "")) | quote }}
- name: FEATURE_GATES
  value: {{ include "dovetail.gates" (list . (list
    (list "NodeRepair" $g.nodeRepair) (list "ReservedCapacity" $g.reservedCapacity) (list "SpotToSpotConsolidation" $g.spotToSpotConsolidation)
    (list "NodeOverlay" $g.nodeOverlay) (list "StaticCapacity" $g.staticCapacity) (list "CapacityBuffer" $g.capacityBuffer)
    (list "TerminateFirstDrift" $g.terminateFirstDrift) (list "TerminateFirstRepair" $g.terminateFirstRepair)
    (list "PodDeletionCostManagement" $g.podDeletionCostManagement))) | quote }}
{{- with include "dovetail.gates" (list . (list
  (list "NodeClassCEL" $a.nodeClassCEL) (list "DRANVIDIAGPU" $gpu) (list "DRAEFA" $efa) (list "RebootForRepair" $a.rebootForRepair))) }}
- name: AWS_FEATURE_GATES
  value: {{ . | quote }}
{{- end }}
{{- if include "dovetail.on" (list . $s.legacyNodeRepair) }}
{{- if include "dovetail.on" (list . $g.terminateFirstRepair) }}
{{- fail "settings.legacyNodeRepair and settings.featureGates.terminateFirstRepair exclude each other: the repair of before 1.15 replaces nothing first. Unset one of them" }}
{{- end }}
- name: LEGACY_NODE_REPAIR
  value: "true"
{{- end }}
{{- with .Values.controller.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Gates as the controller reads them: a list of the root and of pairs. A gate that is null is not named. */ -}}
{{- define "dovetail.gates" -}}
{{- $root := index . 0 -}}
{{- $gates := list -}}
{{- range index . 1 -}}
{{- $value := include "dovetail.text" (list $root (index . 1)) -}}
{{- if $value -}}
{{- $gates = append $gates (printf "%s=%s" (index . 0) $value) -}}
{{- end -}}
{{- end -}}
{{- join "," $gates -}}
{{- end -}}

{{- define "dovetail.cloud" -}}
{{- include "dovetail.text" (list . .Values.settings.cloud) -}}
{{- end -}}

{{- define "dovetail.journalDir" -}}
/var/lib/dovetail/journal
{{- end -}}
