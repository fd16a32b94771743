export { versionOf } from './definition/canonical.ts';
export {
  avg,
  count,
  countDistinct,
  decayedAvg,
  decayedSum,
  expression,
  type Feature,
  type Features,
  type FeatureValues,
  type FeatureView,
  featureView,
  first,
  firstN,
  histogram,
  last,
  lastN,
  max,
  maxN,
  min,
  minN,
  percentiles,
  ratio,
  stddev,
  sum,
  topK,
  valueCounts,
  variance,
  vectorMean,
  vectorSum,
} from './definition/dsl.ts';
export { parseDefinition } from './definition/parse.ts';
export type {
  AggregateDefinition,
  FeatureDefinition,
  FeatureViewDefinition,
  MeasureDefinition,
  RatioDefinition,
  WindowBounds,
  WindowDefinition,
} from './definition/types.ts';
export type {
  FeatureDetail,
  HistoricalAnswer,
  HistoricalRequest,
  OnlineAnswer,
  OnlineRequest,
  PinnedView,
  ServiceAnswer,
  ServiceRequest,
  ViewInfo,
  ViewPlanAnswer,
} from './engine/engine-types.ts';
export { FeatureEngine } from './engine/feature-engine.ts';
export { type Reach, readView, type ViewReading } from './engine/view-reading.ts';
export { evaluateView, type FeatureAnswer, type FeatureStatus } from './evaluate.ts';
export { sweepOf } from './historical/sweep.ts';
export { type ComputedFeatures, onDemand, type TrainingRequest } from './on-demand.ts';
export { planView, type ViewPlan } from './plan.ts';
export { decodeViewState, encodeViewState } from './state/codec.ts';
export { type FeatureEvent, ViewState } from './state/view-state.ts';
export { AnswerLog } from './trust/answer-log.ts';
export type { DatasetInfo } from './trust/dataset-types.ts';
export { Datasets, type RecordKeeper } from './trust/datasets.ts';
export { historicalWithWarnings, type LeakageWarning } from './trust/leakage.ts';
export { type FeatureHealth, type FeatureReport, type ReportRequest, reportOf } from './trust/report.ts';
export { type SkewReport, skewOf } from './trust/skew.ts';
