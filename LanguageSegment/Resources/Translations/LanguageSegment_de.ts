<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
 <context>
  <name>LanguageSegment</name>
  <message>
   <source>A checkpoint folder with weights.safetensors and card.json, or a .safetensors file.</source>
   <translation>Ein Ordner mit weights.safetensors und card.json oder eine .safetensors-Datei.</translation>
  </message>
  <message>
   <source>A report of the scene, or a new one.</source>
   <translation>Ein Befund der Szene oder ein neuer.</translation>
  </message>
  <message>
   <source>Another folder or file</source>
   <translation>Anderer Ordner oder andere Datei</translation>
  </message>
  <message>
   <source>Apple graphics (MPS)</source>
   <translation>Apple-Grafik (MPS)</translation>
  </message>
  <message>
   <source>Apply</source>
   <translation>Anwenden</translation>
  </message>
  <message>
   <source>Automatic</source>
   <translation>Automatisch</translation>
  </message>
  <message>
   <source>Bundled weights</source>
   <translation>Mitgelieferte Gewichte</translation>
  </message>
  <message>
   <source>Choose a volume</source>
   <translation>Volumen wählen</translation>
  </message>
  <message>
   <source>Chosen sentence only</source>
   <translation>Nur der gewählte Satz</translation>
  </message>
  <message>
   <source>Copy a description of this installation, without any report text, to the clipboard.</source>
   <translation>Eine Beschreibung dieser Installation ohne jeden Befundtext in die Zwischenablage kopieren.</translation>
  </message>
  <message>
   <source>Copy as command line</source>
   <translation>Als Befehlszeile kopieren</translation>
  </message>
  <message>
   <source>Copy diagnosis</source>
   <translation>Diagnose kopieren</translation>
  </message>
  <message>
   <source>Copy the command that makes the same run without Slicer.</source>
   <translation>Den Befehl kopieren, der dasselbe ohne Slicer rechnet.</translation>
  </message>
  <message>
   <source>Cut only the chosen sentence's segment again.</source>
   <translation>Nur das Segment des gewählten Satzes neu schneiden.</translation>
  </message>
  <message>
   <source>Cut the segments again at another probability; the network is not run.</source>
   <translation>Die Segmente bei einer anderen Wahrscheinlichkeit neu schneiden; das Netz rechnet dabei nicht.</translation>
  </message>
  <message>
   <source>Device:</source>
   <translation>Gerät:</translation>
  </message>
  <message>
   <source>Explain</source>
   <translation>Erklären</translation>
  </message>
  <message>
   <source>Explanation map</source>
   <translation>Erklärungskarte</translation>
  </message>
  <message>
   <source>Export the segmentation as DICOM SEG.</source>
   <translation>Die Segmentierung als DICOM SEG exportieren.</translation>
  </message>
  <message>
   <source>Findings</source>
   <translation>Befunde</translation>
  </message>
  <message>
   <source>Folder or file:</source>
   <translation>Ordner oder Datei:</translation>
  </message>
  <message>
   <source>Force a segment</source>
   <translation>Segment erzwingen</translation>
  </message>
  <message>
   <source>Give each field of the report, such as FINDINGS and IMPRESSION, a segmentation of its own.</source>
   <translation>Jedem Abschnitt des Befundes, etwa FINDINGS und IMPRESSION, eine eigene Segmentierung geben.</translation>
  </message>
  <message>
   <source>Give the chosen sentence a segment although it is negated, uncertain or absent.</source>
   <translation>Dem gewählten Satz ein Segment geben, obwohl er verneint, unsicher oder ohne Fund ist.</translation>
  </message>
  <message>
   <source>Grey values:</source>
   <translation>Grauwerte:</translation>
  </message>
  <message>
   <source>Hide the map</source>
   <translation>Karte ausblenden</translation>
  </message>
  <message>
   <source>Hounsfield units (CT)</source>
   <translation>Hounsfield-Einheiten (CT)</translation>
  </message>
  <message>
   <source>How strongly the map covers the volume.</source>
   <translation>Wie stark die Karte das Volumen überdeckt.</translation>
  </message>
  <message>
   <source>Install packages ...</source>
   <translation>Pakete installieren ...</translation>
  </message>
  <message>
   <source>Install the Python packages that the network needs; asks first.</source>
   <translation>Die Python-Pakete installieren, die das Netz braucht; fragt vorher.</translation>
  </message>
  <message>
   <source>Language Segment</source>
   <translation>Language Segment</translation>
  </message>
  <message>
   <source>Let a run replace segments that were changed by hand; otherwise they are kept.</source>
   <translation>Segmente ersetzen lassen, die von Hand geändert wurden; sonst bleiben sie.</translation>
  </message>
  <message>
   <source>Load report ...</source>
   <translation>Befund laden ...</translation>
  </message>
  <message>
   <source>Load sample</source>
   <translation>Beispiel laden</translation>
  </message>
  <message>
   <source>Load the chest CT and the report that come with the module.</source>
   <translation>Das mitgelieferte Thorax-CT mit seinem Befund laden.</translation>
  </message>
  <message>
   <source>Map:</source>
   <translation>Karte:</translation>
  </message>
  <message>
   <source>Marks in a scan what each sentence of its written report describes, one segment per sentence. For research only, not for clinical use. See the &lt;a href="{homepage}"&gt;documentation&lt;/a&gt;.</source>
   <translation>Markiert in einer Aufnahme, was jeder Satz ihres schriftlichen Befundes beschreibt, ein Segment je Satz. Nur für die Forschung, nicht für die klinische Anwendung. Siehe die &lt;a href="{homepage}"&gt;Dokumentation&lt;/a&gt;.</translation>
  </message>
  <message>
   <source>NVIDIA graphics card (CUDA)</source>
   <translation>NVIDIA-Grafikkarte (CUDA)</translation>
  </message>
  <message>
   <source>New report</source>
   <translation>Neuer Befund</translation>
  </message>
  <message>
   <source>One row for each sentence. A click shows its segment, a double click on the sentence edits it.</source>
   <translation>Eine Zeile je Satz. Ein Klick zeigt sein Segment, ein Doppelklick auf den Satz bearbeitet ihn.</translation>
  </message>
  <message>
   <source>One segmentation for each field</source>
   <translation>Eine Segmentierung je Abschnitt</translation>
  </message>
  <message>
   <source>Opacity:</source>
   <translation>Deckkraft:</translation>
  </message>
  <message>
   <source>Picture</source>
   <translation>Bild</translation>
  </message>
  <message>
   <source>Processor (CPU)</source>
   <translation>Prozessor (CPU)</translation>
  </message>
  <message>
   <source>Put weights, device and all settings back as they were at first.</source>
   <translation>Gewichte, Gerät und alle Einstellungen auf den Anfang zurücksetzen.</translation>
  </message>
  <message>
   <source>Read the report from a text, JSON or DICOM structured report file.</source>
   <translation>Den Befund aus einer Text-, JSON- oder DICOM-SR-Datei lesen.</translation>
  </message>
  <message>
   <source>Replace segments edited by hand</source>
   <translation>Von Hand geänderte Segmente ersetzen</translation>
  </message>
  <message>
   <source>Report:</source>
   <translation>Befund:</translation>
  </message>
  <message>
   <source>Reset settings</source>
   <translation>Einstellungen zurücksetzen</translation>
  </message>
  <message>
   <source>Results elsewhere</source>
   <translation>Ergebnisse weitergeben</translation>
  </message>
  <message>
   <source>Run sentence again</source>
   <translation>Satz erneut rechnen</translation>
  </message>
  <message>
   <source>Run the chosen sentence again, such as after editing it.</source>
   <translation>Den gewählten Satz erneut rechnen, etwa nach einer Änderung.</translation>
  </message>
  <message>
   <source>Save table ...</source>
   <translation>Tabelle speichern ...</translation>
  </message>
  <message>
   <source>Save the findings as a CSV file.</source>
   <translation>Die Befunde als CSV-Datei speichern.</translation>
  </message>
  <message>
   <source>Scan and report</source>
   <translation>Aufnahme und Befund</translation>
  </message>
  <message>
   <source>Segment what the report's sentences say. Ctrl+Enter does the same.</source>
   <translation>Segmentieren, was die Sätze des Befundes sagen. Strg+Eingabe tut dasselbe.</translation>
  </message>
  <message>
   <source>Send to DICOM ...</source>
   <translation>An DICOM senden ...</translation>
  </message>
  <message>
   <source>Settings</source>
   <translation>Einstellungen</translation>
  </message>
  <message>
   <source>Show what the network saw for the chosen sentence.</source>
   <translation>Zeigen, was das Netz beim gewählten Satz gesehen hat.</translation>
  </message>
  <message>
   <source>Step back</source>
   <translation>Schritt zurück</translation>
  </message>
  <message>
   <source>Take the map off the volume.</source>
   <translation>Die Karte vom Volumen nehmen.</translation>
  </message>
  <message>
   <source>The networks are re-implementations; the papers that describe them are named in the documentation.</source>
   <translation>Die Netze sind nachgebaut; die Arbeiten, die sie beschreiben, nennt die Dokumentation.</translation>
  </message>
  <message>
   <source>The report's text. Ctrl+Enter runs it.</source>
   <translation>Der Text des Befundes. Strg+Eingabe rechnet ihn.</translation>
  </message>
  <message>
   <source>The scan that the report describes.</source>
   <translation>Die Aufnahme, die der Befund beschreibt.</translation>
  </message>
  <message>
   <source>Threshold</source>
   <translation>Schwellenwert</translation>
  </message>
  <message>
   <source>Type or paste the report, or load it from a file.</source>
   <translation>Befund schreiben, einfügen oder aus einer Datei laden.</translation>
  </message>
  <message>
   <source>Undo the last change that the module made to the segments.</source>
   <translation>Die letzte Änderung des Moduls an den Segmenten rückgängig machen.</translation>
  </message>
  <message>
   <source>Volume:</source>
   <translation>Volumen:</translation>
  </message>
  <message>
   <source>Weights and device</source>
   <translation>Gewichte und Gerät</translation>
  </message>
  <message>
   <source>Weights:</source>
   <translation>Gewichte:</translation>
  </message>
  <message>
   <source>What computes. Automatic takes a graphics card if a test computation succeeds on it.</source>
   <translation>Was rechnet. Automatisch nimmt eine Grafikkarte, wenn eine Proberechnung auf ihr gelingt.</translation>
  </message>
  <message>
   <source>What the volume's numbers are. Automatic decides by the values.</source>
   <translation>Was die Zahlen des Volumens bedeuten. Automatisch entscheidet nach den Werten.</translation>
  </message>
  <message>
   <source>Which map of the chosen sentence lies over the volume.</source>
   <translation>Welche Karte des gewählten Satzes über dem Volumen liegt.</translation>
  </message>
  <message>
   <source>Which trained network reads the report.</source>
   <translation>Welches trainierte Netz den Befund liest.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.device_probe</name>
  <message>
   <source>Not tried yet.</source>
   <translation>Noch nicht probiert.</translation>
  </message>
  <message>
   <source>Trying the device ...</source>
   <translation>Gerät wird probiert ...</translation>
  </message>
  <message>
   <source>Will use {reason}</source>
   <translation>Es rechnet: {reason}</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.dicom_export</name>
  <message>
   <source>Install the extension QuantitativeReporting to export DICOM SEG.</source>
   <translation>Installieren Sie die Erweiterung QuantitativeReporting, um DICOM SEG zu exportieren.</translation>
  </message>
  <message>
   <source>This Slicer has no DICOM export.</source>
   <translation>Dieses Slicer hat keinen DICOM-Export.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.explanation</name>
  <message>
   <source>Explanation: {name}</source>
   <translation>Erklärung: {name}</translation>
  </message>
  <message>
   <source>{name} for "{sentence}": {meaning}. Blue is {lowest}, red is {highest}.</source>
   <translation>{name} für „{sentence}“: {meaning}. Blau ist {lowest}, Rot ist {highest}.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.failures</name>
  <message>
   <source>Memory ran out; close other programs or choose a smaller volume, then press Apply again.</source>
   <translation>Der Arbeitsspeicher ist erschöpft; schließen Sie andere Programme oder wählen Sie ein kleineres Volumen und drücken Sie erneut Anwenden.</translation>
  </message>
  <message>
   <source>The disk is full at {place}; free some space and try again.</source>
   <translation>Der Datenträger ist voll bei {place}; schaffen Sie Platz und versuchen Sie es erneut.</translation>
  </message>
  <message>
   <source>There is no right to write {place}; choose another folder.</source>
   <translation>Es fehlt das Recht, {place} zu schreiben; wählen Sie einen anderen Ordner.</translation>
  </message>
  <message>
   <source>This is a defect of the module ({kind}); the Python console shows more, please report it.</source>
   <translation>Das ist ein Fehler des Moduls ({kind}); die Python-Konsole zeigt mehr, bitte melden Sie ihn.</translation>
  </message>
  <message>
   <source>choose the processor (CPU) as device, or a smaller volume</source>
   <translation>wählen Sie den Prozessor (CPU) als Gerät oder ein kleineres Volumen</translation>
  </message>
  <message>
   <source>press Install packages in the section Settings</source>
   <translation>drücken Sie Pakete installieren im Abschnitt Einstellungen</translation>
  </message>
  <message>
   <source>the folder</source>
   <translation>dem Ordner</translation>
  </message>
  <message>
   <source>{place} could not be used ({why}); choose another file or folder.</source>
   <translation>{place} konnte nicht verwendet werden ({why}); wählen Sie eine andere Datei oder einen anderen Ordner.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.findings_table</name>
  <message>
   <source>No voxel reaches the threshold.</source>
   <translation>Kein Voxel erreicht den Schwellenwert.</translation>
  </message>
  <message>
   <source>The sentence was edited since it was run.</source>
   <translation>Der Satz wurde bearbeitet, seit er gerechnet wurde.</translation>
  </message>
  <message>
   <source>The sentence was edited since its segment was made.</source>
   <translation>Der Satz wurde bearbeitet, seit sein Segment entstand.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.panel</name>
  <message>
   <source>All files</source>
   <translation>Alle Dateien</translation>
  </message>
  <message>
   <source>All settings are as they were at first.</source>
   <translation>Alle Einstellungen sind wieder wie am Anfang.</translation>
  </message>
  <message>
   <source>Apply</source>
   <translation>Anwenden</translation>
  </message>
  <message>
   <source>Cancel</source>
   <translation>Abbrechen</translation>
  </message>
  <message>
   <source>Give the chosen sentence a segment although it is negated, uncertain or absent.</source>
   <translation>Dem gewählten Satz ein Segment geben, obwohl er verneint, unsicher oder ohne Fund ist.</translation>
  </message>
  <message>
   <source>Install the Python packages that the network needs; asks first.</source>
   <translation>Die Python-Pakete installieren, die das Netz braucht; fragt vorher.</translation>
  </message>
  <message>
   <source>Load a report</source>
   <translation>Befund laden</translation>
  </message>
  <message>
   <source>Nothing has to be installed now.</source>
   <translation>Es muss jetzt nichts installiert werden.</translation>
  </message>
  <message>
   <source>Nothing was changed that could be undone.</source>
   <translation>Es wurde nichts geändert, das rückgängig gemacht werden könnte.</translation>
  </message>
  <message>
   <source>Only a sentence that is negated, uncertain, absent or not covered can be forced.</source>
   <translation>Nur ein Satz, der verneint, unsicher, ohne Fund oder nicht abgedeckt ist, kann erzwungen werden.</translation>
  </message>
  <message>
   <source>Reports</source>
   <translation>Befunde</translation>
  </message>
  <message>
   <source>Run the chosen sentence again, such as after editing it.</source>
   <translation>Den gewählten Satz erneut rechnen, etwa nach einer Änderung.</translation>
  </message>
  <message>
   <source>Show what the network saw for the chosen sentence.</source>
   <translation>Zeigen, was das Netz beim gewählten Satz gesehen hat.</translation>
  </message>
  <message>
   <source>Stop; the scene stays as it was.</source>
   <translation>Anhalten; die Szene bleibt, wie sie war.</translation>
  </message>
  <message>
   <source>Undo the last change that the module made to the segments.</source>
   <translation>Die letzte Änderung des Moduls an den Segmenten rückgängig machen.</translation>
  </message>
  <message>
   <source>{packages} must be installed first; Apply offers to do it.</source>
   <translation>{packages} muss zuerst installiert werden; Anwenden bietet das an.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.panel_actions</name>
  <message>
   <source>A sentence cannot be empty; delete it in the report instead.</source>
   <translation>Ein Satz kann nicht leer sein; löschen Sie ihn stattdessen im Befund.</translation>
  </message>
  <message>
   <source>All Python packages are there.</source>
   <translation>Alle Python-Pakete sind vorhanden.</translation>
  </message>
  <message>
   <source>The last change was undone.</source>
   <translation>Die letzte Änderung wurde rückgängig gemacht.</translation>
  </message>
  <message>
   <source>The report was changed meanwhile; edit the sentence again.</source>
   <translation>Der Befund wurde inzwischen geändert; bearbeiten Sie den Satz erneut.</translation>
  </message>
  <message>
   <source>The sentence was changed; run it again to bring its segment up to date.</source>
   <translation>Der Satz wurde geändert; rechnen Sie ihn erneut, damit sein Segment wieder stimmt.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.panel_choices</name>
  <message>
   <source>Choose the folder or file of the weights.</source>
   <translation>Wählen Sie den Ordner oder die Datei der Gewichte.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.panel_export</name>
  <message>
   <source>Choose a volume and give the report's text first.</source>
   <translation>Wählen Sie zuerst ein Volumen und geben Sie den Befundtext ein.</translation>
  </message>
  <message>
   <source>Copy the command that makes the same run without Slicer, the report's text included.</source>
   <translation>Den Befehl kopieren, der dasselbe ohne Slicer rechnet, samt Befundtext.</translation>
  </message>
  <message>
   <source>Export the segmentation as DICOM SEG.</source>
   <translation>Die Segmentierung als DICOM SEG exportieren.</translation>
  </message>
  <message>
   <source>Save the findings</source>
   <translation>Befunde speichern</translation>
  </message>
  <message>
   <source>Save the findings as a CSV file.</source>
   <translation>Die Befunde als CSV-Datei speichern.</translation>
  </message>
  <message>
   <source>The command was copied.</source>
   <translation>Der Befehl wurde kopiert.</translation>
  </message>
  <message>
   <source>The command was copied; put the path of the volume's file in the place of VOLUME.</source>
   <translation>Der Befehl wurde kopiert; setzen Sie an die Stelle von VOLUME den Pfad der Volumendatei.</translation>
  </message>
  <message>
   <source>The diagnosis was copied; it holds no report text.</source>
   <translation>Die Diagnose wurde kopiert; sie enthält keinen Befundtext.</translation>
  </message>
  <message>
   <source>The table was saved as {path}.</source>
   <translation>Die Tabelle wurde als {path} gespeichert.</translation>
  </message>
  <message>
   <source>There is no finding to save yet.</source>
   <translation>Es gibt noch keinen Befund zu speichern.</translation>
  </message>
  <message>
   <source>There is no segment to send yet.</source>
   <translation>Es gibt noch kein Segment zu senden.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.panel_maps</name>
  <message>
   <source>Choose a sentence and press Explain to see what the network made of it.</source>
   <translation>Wählen Sie einen Satz und drücken Sie Erklären, um zu sehen, was das Netz daraus gemacht hat.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.panel_runs</name>
  <message>
   <source>Cancelling ...</source>
   <translation>Wird abgebrochen ...</translation>
  </message>
  <message>
   <source>{stage}; {count} more waiting</source>
   <translation>{stage}; {count} weitere warten</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.panel_threshold</name>
  <message>
   <source>Choose a sentence that has a segment, or untick Chosen sentence only.</source>
   <translation>Wählen Sie einen Satz mit Segment, oder entfernen Sie das Häkchen bei „Nur der gewählte Satz“.</translation>
  </message>
  <message>
   <source>Cut the segments again at another probability; the network is not run.</source>
   <translation>Die Segmente bei einer anderen Wahrscheinlichkeit neu schneiden; das Netz rechnet dabei nicht.</translation>
  </message>
  <message>
   <source>Run the report first; its probabilities are kept until Slicer or the scene is closed.</source>
   <translation>Rechnen Sie zuerst den Befund; seine Wahrscheinlichkeiten bleiben, bis Slicer oder die Szene geschlossen wird.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.progress_text</name>
  <message>
   <source>Bringing the masks onto the volume</source>
   <translation>Masken werden auf das Volumen gebracht</translation>
  </message>
  <message>
   <source>Explaining</source>
   <translation>Erklären</translation>
  </message>
  <message>
   <source>Loading the network</source>
   <translation>Netz wird geladen</translation>
  </message>
  <message>
   <source>Reading the text</source>
   <translation>Text wird gelesen</translation>
  </message>
  <message>
   <source>Reading the volume</source>
   <translation>Volumen wird gelesen</translation>
  </message>
  <message>
   <source>Segmenting</source>
   <translation>Segmentieren</translation>
  </message>
  <message>
   <source>Starting the worker</source>
   <translation>Hilfsprozess startet</translation>
  </message>
  <message>
   <source>Trying the device</source>
   <translation>Gerät wird probiert</translation>
  </message>
  <message>
   <source>Waiting for the run before</source>
   <translation>Wartet auf den Lauf davor</translation>
  </message>
  <message>
   <source>Writing</source>
   <translation>Schreiben</translation>
  </message>
  <message>
   <source>a few seconds left</source>
   <translation>noch wenige Sekunden</translation>
  </message>
  <message>
   <source>about {minutes} min left</source>
   <translation>noch etwa {minutes} min</translation>
  </message>
  <message>
   <source>about {seconds} s left</source>
   <translation>noch etwa {seconds} s</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.readiness</name>
  <message>
   <source>Apply needs more:</source>
   <translation>Zum Anwenden fehlt noch:</translation>
  </message>
  <message>
   <source>Choose a sentence in the table first.</source>
   <translation>Wählen Sie zuerst einen Satz in der Tabelle.</translation>
  </message>
  <message>
   <source>Choose a volume.</source>
   <translation>Wählen Sie ein Volumen.</translation>
  </message>
  <message>
   <source>Segment what the report's sentences say (Ctrl+Enter).</source>
   <translation>Segmentieren, was die Sätze des Befundes sagen (Strg+Eingabe).</translation>
  </message>
  <message>
   <source>The volume holds no image; choose another.</source>
   <translation>Das Volumen enthält kein Bild; wählen Sie ein anderes.</translation>
  </message>
  <message>
   <source>This volume is an explanation map; choose the scan.</source>
   <translation>Dieses Volumen ist eine Erklärungskarte; wählen Sie die Aufnahme.</translation>
  </message>
  <message>
   <source>Type, paste or load the report.</source>
   <translation>Schreiben Sie den Befund, fügen Sie ihn ein, oder laden Sie ihn.</translation>
  </message>
  <message>
   <source>Wait for the run to end, or cancel it.</source>
   <translation>Warten Sie, bis das Rechnen endet, oder brechen Sie es ab.</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.table_text</name>
  <message>
   <source>Agreement</source>
   <translation>Übereinstimmung</translation>
  </message>
  <message>
   <source>Asked for the finding without its place: {words}</source>
   <translation>Gefragt wurde nach dem Fund ohne seinen Ort: {words}</translation>
  </message>
  <message>
   <source>How sure the network is that the finding is there at all, from 0 to 1.</source>
   <translation>Wie sicher das Netz ist, dass es den Fund überhaupt gibt, von 0 bis 1.</translation>
  </message>
  <message>
   <source>In {field}: {sentence}</source>
   <translation>In {field}: {sentence}</translation>
  </message>
  <message>
   <source>It was not measured whether words and picture agree.</source>
   <translation>Ob Worte und Bild übereinstimmen, wurde nicht gemessen.</translation>
  </message>
  <message>
   <source>Presence</source>
   <translation>Vorhanden</translation>
  </message>
  <message>
   <source>Segment</source>
   <translation>Segment</translation>
  </message>
  <message>
   <source>Sentence</source>
   <translation>Satz</translation>
  </message>
  <message>
   <source>State</source>
   <translation>Zustand</translation>
  </message>
  <message>
   <source>The network did not find what the sentence names.</source>
   <translation>Das Netz hat nicht gefunden, was der Satz nennt.</translation>
  </message>
  <message>
   <source>The scan does not tell its real spacing, so this volume is no real one.</source>
   <translation>Die Aufnahme nennt ihre wirklichen Abstände nicht; daher ist dieses Volumen kein wirkliches.</translation>
  </message>
  <message>
   <source>The sentence has no segment.</source>
   <translation>Der Satz hat kein Segment.</translation>
  </message>
  <message>
   <source>The sentence leaves open whether the finding is there.</source>
   <translation>Der Satz lässt offen, ob der Fund da ist.</translation>
  </message>
  <message>
   <source>The sentence names nothing that these weights know.</source>
   <translation>Der Satz nennt nichts, was diese Gewichte kennen.</translation>
  </message>
  <message>
   <source>The sentence says that the finding is not there.</source>
   <translation>Der Satz sagt, dass der Fund nicht da ist.</translation>
  </message>
  <message>
   <source>The sentence says that the finding is there.</source>
   <translation>Der Satz sagt, dass der Fund da ist.</translation>
  </message>
  <message>
   <source>The sentence was edited since it was run.</source>
   <translation>Der Satz wurde bearbeitet, seit er gerechnet wurde.</translation>
  </message>
  <message>
   <source>The sentence was not run yet.</source>
   <translation>Der Satz wurde noch nicht gerechnet.</translation>
  </message>
  <message>
   <source>Volume of the segment in millilitres.</source>
   <translation>Volumen des Segments in Millilitern.</translation>
  </message>
  <message>
   <source>absent</source>
   <translation>ohne Fund</translation>
  </message>
  <message>
   <source>affirmed</source>
   <translation>bejaht</translation>
  </message>
  <message>
   <source>agrees</source>
   <translation>stimmt überein</translation>
  </message>
  <message>
   <source>contradicts</source>
   <translation>widerspricht</translation>
  </message>
  <message>
   <source>differs</source>
   <translation>weicht ab</translation>
  </message>
  <message>
   <source>mL</source>
   <translation>ml</translation>
  </message>
  <message>
   <source>negated</source>
   <translation>verneint</translation>
  </message>
  <message>
   <source>not covered</source>
   <translation>nicht abgedeckt</translation>
  </message>
  <message>
   <source>not run</source>
   <translation>nicht gerechnet</translation>
  </message>
  <message>
   <source>stale</source>
   <translation>veraltet</translation>
  </message>
  <message>
   <source>uncertain</source>
   <translation>unsicher</translation>
  </message>
  <message>
   <source>unclear</source>
   <translation>unklar</translation>
  </message>
  <message>
   <source>{name} (edited)</source>
   <translation>{name} (bearbeitet)</translation>
  </message>
  <message>
   <source>{name}: tick to show the segment.</source>
   <translation>{name}: Häkchen setzen, um das Segment zu zeigen.</translation>
  </message>
  <message>
   <source>{state} (forced)</source>
   <translation>{state} (erzwungen)</translation>
  </message>
  <message>
   <source>{volume} (nominal)</source>
   <translation>{volume} (nominell)</translation>
  </message>
 </context>
 <context>
  <name>LanguageSegmentLib.weights_card</name>
  <message>
   <source>No figure was measured.</source>
   <translation>Es wurde keine Kennzahl gemessen.</translation>
  </message>
  <message>
   <source>No sentence of this report names a finding that these weights know, so none will get a segment.</source>
   <translation>Kein Satz dieses Befundes nennt einen Fund, den diese Gewichte kennen; daher bekommt keiner ein Segment.</translation>
  </message>
  <message>
   <source>The weights cannot be read ({why}); choose others.</source>
   <translation>Die Gewichte können nicht gelesen werden ({why}); wählen Sie andere.</translation>
  </message>
  <message>
   <source>These weights were trained on {modality}, and the values of this volume do not look like CT.</source>
   <translation>Diese Gewichte wurden mit {modality} trainiert, und die Werte dieses Volumens sehen nicht nach CT aus.</translation>
  </message>
  <message>
   <source>These weights were trained on {modality}, and this volume is {known}.</source>
   <translation>Diese Gewichte wurden mit {modality} trainiert, und dieses Volumen ist {known}.</translation>
  </message>
  <message>
   <source>These weights were trained on {modality}, and this volume looks like CT.</source>
   <translation>Diese Gewichte wurden mit {modality} trainiert, und dieses Volumen sieht nach CT aus.</translation>
  </message>
  <message>
   <source>{count} of {total} sentences name no finding that these weights know; they get no segment.</source>
   <translation>{count} von {total} Sätzen nennen keinen Fund, den diese Gewichte kennen; sie bekommen kein Segment.</translation>
  </message>
 </context>
</TS>
