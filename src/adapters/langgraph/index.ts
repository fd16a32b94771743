export { TailwaterSaver, type TailwaterSaverConfig } from './tailwater-saver.ts';
